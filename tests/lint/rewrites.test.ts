/** What `lint --fix` would write: PostgreSQL runs it, the rule has no more to say, and nothing else is made of it than before. */
import { describe, expect, test } from 'vitest'
import { fixTexts } from '../../src/lint/fix.ts'
import type { Example, Rule } from '../../src/lint/rule.ts'
import { rules } from '../../src/lint/rules/index.ts'
import type { Schema } from '../../src/schema/model.ts'
import { lintExample, rehearseExample, sourcesOf } from '../support/lint.ts'

/** Rules that know a rewrite, and those of them after which the catalog is the same. */
const rewriting = {
  'index-foreign-key': 'more',
  // It leaves the bounds as a check.
  'lock-detach-nonconcurrent': 'more',
  'lock-drop-index-nonconcurrent': 'same',
  'lock-index-nonconcurrent': 'same',
  'lock-refresh-nonconcurrent': 'same',
  'lock-reindex-nonconcurrent': 'same',
  'migration-session-setting': 'same',
  'name-unnamed-constraint': 'same',
  'type-serial': 'other',
} as const

const more: Readonly<Record<string, readonly Example[]>> = {
  'name-unnamed-constraint': [
    {
      title: 'of every kind',
      before: 'create table teams (id bigint, part bigint, primary key (id, part));',
      up: `create table users (
  id bigint primary key, team bigint, part bigint, age integer, starts date, ends date, during int4range,
  check (starts < ends), /* one column */ check (age > 0 and age < 200),
  unique (team, age), foreign key (team, part) references teams (id, part), exclude using gist (during with &&)
);`,
    },
    {
      title: 'at a column that is added',
      before: 'create table teams (id bigint primary key); create table users (id bigint primary key);',
      up: 'alter table users add column team bigint references teams (id), add column age integer check (age > 0), add unique (age);',
    },
  ],
  'type-serial': [
    {
      title: 'of every size',
      up: 'create table a (x SMALLSERIAL, id bigserial /* counts */ primary key); create table b (id serial4, c serial8 unique);',
    },
  ],
  'lock-reindex-nonconcurrent': [
    {
      title: 'with options',
      before: 'create table users (id bigint primary key);',
      up: 'reindex (verbose) table users;',
    },
  ],
  'lock-refresh-nonconcurrent': [
    {
      title: 'once there is a unique index',
      before: 'create table sales (day date);\ncreate materialized view days as select distinct day from sales;',
      up: 'create unique index days_day on days (day);\nrefresh materialized view days;',
    },
  ],
  'index-foreign-key': [
    {
      title: 'added behind the table',
      before: 'create table users (id bigint primary key);',
      up: `create table logins (id bigint primary key, user_id bigint);
alter table logins add foreign key (user_id) references users (id);
comment on table logins is 'Who was there'`,
    },
  ],
}

describe.each(Object.entries(rewriting))('%s', (name, makes) => {
  const rule = rules.find(one => one.name === name) as Rule
  const examples = [...rule.examples.bad, ...(more[name] ?? [])]

  test('mends what it finds', async () => {
    let mended = 0
    for (const example of examples) {
      const rehearsal = await rehearseExample(example)
      const { findings } = await lintExample(example, rehearsal, [rule])
      const [fixed] = fixTexts(findings, sourcesOf(example))
      if (!fixed) continue
      mended++
      const rewritten = { ...example, up: fixed.after }
      const again = await rehearseExample(rewritten)
      expect(again.steps.map(step => step.failure)).toEqual(again.steps.map(() => null))
      const left = await lintExample(rewritten, again, [rule])
      expect(left.findings.filter(one => one.rule === name)).toEqual([])
      if (makes === 'same')
        expect(catalogOf(again.steps.at(-1)?.after)).toEqual(catalogOf(rehearsal.steps.at(-1)?.after))
    }
    expect(mended).toBeGreaterThanOrEqual(Math.max(1, more[name]?.length ?? 0))
  })
})

test('no other rule rewrites anything', async () => {
  const others = new Set<string>()
  for (const rule of rules)
    for (const example of rule.examples.bad.filter(one => !one.fails)) {
      if (rule.name in rewriting || rule.shape === 'schema') continue
      const { findings } = await lintExample(example, null, [rule])
      if (findings.some(({ fix }) => fix !== null)) others.add(rule.name)
    }
  expect([...others]).toEqual([])
})

test('a comment stays with the statement that it is about', async () => {
  const rule = rules.find(one => one.name === 'index-foreign-key') as Rule
  const up = 'create table a (id int primary key, b int references a (id)); -- a tree\nselect 1;\n'
  const example = { title: '', up }
  const { findings } = await lintExample(example, await rehearseExample(example), [rule])
  const [fixed] = fixTexts(findings, sourcesOf(example))
  expect(fixed?.after).toBe(up.replace('-- a tree', '-- a tree\n\ncreate index a_b_idx on public.a (b);'))
})

describe('is left alone where it is not certain', () => {
  test.each([
    ['two checks that would have one name', 'create table t (a int, b int, check (a < b), check (a <> b));'],
    ['a name that is taken', 'create table t (a int, b int, constraint t_a_b_key unique (b, a), unique (a, b));'],
    ['a name that is too long', `create table ${'t'.repeat(60)} (a int, b int, unique (a, b));`],
    ['a name in quotes', 'create table "T" (a int, b int, unique (a, b));'],
  ])('%s', async (_, up) => {
    const rule = rules.find(one => one.name === 'name-unnamed-constraint') as Rule
    const { findings } = await lintExample({ title: '', up }, null, [rule])
    expect(findings.map(({ fix }) => fix)).toEqual([null])
  })

  test('an index on a table that is in use', async () => {
    const rule = rules.find(one => one.name === 'index-foreign-key') as Rule
    const example = {
      title: '',
      before: 'create table users (id bigint primary key); create table logins (id bigint primary key);',
      up: 'alter table logins add column user_id bigint references users (id);',
    }
    const { findings } = await lintExample(example, await rehearseExample(example), [rule])
    expect(findings.map(({ fix }) => fix)).toEqual([null])
  })
})

/** Without what differs from one run to the next. */
function catalogOf(schema: Schema | null | undefined): unknown {
  return JSON.parse(JSON.stringify(schema ?? null))
}
