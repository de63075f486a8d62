/** Where linters of text cry wolf or sleep: each case with the words of all rules on statements, and with a rehearsal. */
import { describe, expect, test } from 'vitest'
import type { Example } from '../../src/lint/rule.ts'
import { lintExample, rehearseExample } from '../support/lint.ts'

const users = 'create table users (id bigint primary key, email varchar(40), team_id bigint);\n'
const teams = 'create table teams (id bigint primary key);\n'

describe('silent', () => {
  const harmless: readonly (readonly [what: string, example: Pick<Example, 'before' | 'up'>])[] = [
    [
      'a default of now()',
      { before: users, up: 'alter table users add column at timestamptz not null default now();' },
    ],
    ['a wider varchar', { before: users, up: 'alter table users alter column email type varchar(400);' }],
    [
      'a default from an immutable function',
      {
        before: `${users}create function plan() returns text immutable language plpgsql as $$begin return 'free'; end$$;`,
        up: 'alter table users add column plan text not null default plan();',
      },
    ],
    [
      'a default from a volatile function that PostgreSQL folds to a constant',
      {
        before: `${users}create function plan() returns text volatile language sql as $$select 'free'$$;`,
        up: 'alter table users add column plan text not null default plan();',
      },
    ],
    ['an index on a table of the same file', { up: `${users}create index users_team on users (team_id);` }],
    [
      'a reference on a new column',
      { before: users + teams, up: 'alter table users add column lead bigint references teams;' },
    ],
    [
      'a table that is attached with a check of its bounds',
      {
        before:
          "create table events (at date not null) partition by range (at);\ncreate table old (at date not null, check (at < '2020-01-01'));",
        up: "alter table events attach partition old for values from (minvalue) to ('2020-01-01');",
      },
    ],
    [
      'a partition that is detached beside a default one, since there is no other way',
      {
        before:
          "create table events (at date) partition by range (at);\ncreate table events_1 partition of events for values from (minvalue) to ('2020-01-01');\ncreate table events_rest partition of events default;",
        up: 'alter table events detach partition events_1;',
      },
    ],
    [
      'a block that does nothing',
      {
        before: users,
        up: "do $$ begin if not exists (select from pg_class where relname = 'users') then alter table users add check (id > 0); end if; end $$;",
      },
    ],
  ]

  test.each(harmless)('%s', async (_, example) => {
    expect(await saidOf(example)).toEqual([])
  })
})

describe('found', () => {
  const harmful: readonly (readonly [
    what: string,
    example: Pick<Example, 'before' | 'up'>,
    rules: readonly string[],
  ])[] = [
    [
      'a rewrite in a block',
      { before: users, up: 'do $$ begin alter table users add column token uuid default gen_random_uuid(); end $$;' },
      ['rewrite-table'],
    ],
    [
      'a column that a function drops',
      {
        before: `${users}create function tidy() returns void language plpgsql as $$begin execute 'alter table users drop column email'; end$$;`,
        up: 'select tidy();',
      },
      ['data-drop-column'],
    ],
    [
      'an index that a procedure builds',
      {
        before: `${users}create procedure tune() language plpgsql as $$begin create index users_team on users (team_id); end$$;`,
        up: 'call tune();',
      },
      ['lock-index-nonconcurrent'],
    ],
    [
      'a foreign key in a loop',
      {
        before: `${teams}${users}`,
        up: "do $$ declare name text; begin foreach name in array array['users'] loop execute format('alter table %I add foreign key (team_id) references teams', name); end loop; end $$;",
      },
      ['lock-hidden-work'],
    ],
    [
      'every partition of a table',
      {
        before:
          'create table events (id bigint, at date) partition by range (at);\ncreate table events_1 partition of events for values from (minvalue) to (maxvalue);',
        up: 'alter table events alter column id set not null;',
      },
      ['lock-set-not-null'],
    ],
    [
      'an index that a change of type builds anew',
      {
        before: 'create table visits (id bigint primary key, at timestamptz);\ncreate index visits_at on visits (at);',
        up: "set local timezone = 'UTC';\nalter table visits alter column at type timestamp;",
      },
      ['rewrite-column-type'],
    ],
    [
      'what a cascade reaches in another schema',
      {
        before: `create schema shop;\ncreate table shop.items (id bigint primary key);\n${users}alter table users add foreign key (team_id) references shop.items not valid;`,
        up: 'drop schema shop cascade;',
      },
      ['data-cascade', 'data-drop-schema'],
    ],
    [
      'a table that a failed statement would have locked',
      { before: users, up: 'alter table users add unique (nobody);' },
      ['lock-unique-constraint'],
    ],
  ]

  test.each(harmful)('%s', async (_, example, rules) => {
    expect(await saidOf(example)).toEqual(rules)
  })

  test('a wait is told with the rows of the target', async () => {
    const example = {
      before: users,
      up: 'create index users_team on users (team_id);',
      settings: { targetRows: { 'public.users': 2_400_000 } },
    }
    const { findings } = await lintExample(
      { title: 'sized', ...example },
      await rehearseExample({ title: 'sized', ...example }),
    )
    expect(findings.find(({ rule }) => rule === 'lock-index-nonconcurrent')?.message).toBe(
      'Writes to public.users (about 2,400,000 rows) wait until users_team is built.',
    )
  })
})

/** Names of the rules on statements that speak, where it was rehearsed; the way down is another story. */
async function saidOf(example: Pick<Example, 'before' | 'up'>): Promise<string[]> {
  const whole: Example = { title: 'story', ...example, down: '-- Nothing is undone here.' }
  const { findings } = await lintExample(whole, await rehearseExample(whole))
  const names = findings
    .filter(({ rule, severity }) => severity !== 'notice' && ours.test(rule))
    .map(({ rule }) => rule)
  return [...new Set(names)].sort()
}

const ours = /^(lock|rewrite|data|compat|migration)-/
