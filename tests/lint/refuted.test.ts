/** What text linters cry wolf about is silent, and what they sleep through is found: one story each, with the rehearsal and what it saw. */
import { expect, inject, test } from 'vitest'
import type { Story } from '../support/corpus.ts'
import { judgeStory, rehearseStory } from '../support/corpus-runs.ts'

const users = 'create table users (id bigint generated always as identity primary key, name varchar(20) not null);'

const silent: Readonly<Record<string, { readonly before: string; readonly up: string }>> = {
  'a column with the time of now as its default': {
    before: users,
    up: 'alter table users add column created_at timestamptz not null default now();',
  },
  'a varchar that becomes wider': {
    before: users,
    up: 'alter table users alter column name type varchar(200);',
  },
  'an immutable function as the default': {
    before: `${users} create function plan() returns text language plpgsql immutable as $$ begin return 'free'; end $$;`,
    up: 'alter table users add column plan text not null default plan();',
  },
  'an index on a table of the same file': {
    before: users,
    up: `create table logins (id bigint generated always as identity primary key, at timestamptz not null);
create index logins_at_idx on logins (at);`,
  },
}

test.each(Object.entries(silent))('%s is harmless, and nobody says otherwise', async (_, { before, up }) => {
  const { findings, rewrites } = await judged(before, up)
  expect(rewrites).toEqual([])
  expect(findings).toEqual([])
})

interface Sleeping {
  readonly before: string
  readonly up: string
  readonly found: readonly string[]
  readonly rewrites?: readonly string[]
}

const sleeping: Readonly<Record<string, Sleeping>> = {
  'a table is written anew by a block': {
    before: users,
    up: 'do $$ begin alter table users add column public_id uuid not null default gen_random_uuid(); end $$;',
    found: ['rewrite-table'],
    rewrites: ['public.users', 'public.users_pkey'],
  },
  'a column is dropped by dynamic SQL': {
    before: users,
    up: "do $$ begin execute 'alter table ' || 'users' || ' drop column name'; end $$;",
    found: ['data-drop-column'],
  },
  'a foreign key without an index': {
    before: users,
    up: `create table logins (
  id bigint generated always as identity primary key,
  user_id bigint not null constraint logins_user_id_fkey references users (id)
);`,
    found: ['index-foreign-key'],
  },
  'row security is switched off': {
    before: `${users} alter table users enable row level security;`,
    up: 'alter table users disable row level security;',
    found: ['data-disable-row-security'],
  },
  'a partitioned key lacks the partition column': {
    before: users,
    up: 'create table events (id bigint primary key, at timestamptz not null) partition by range (at);',
    found: ['partition-key-in-unique'],
  },
  'a plain password has a column': {
    before: users,
    up: 'alter table users add column password text;',
    found: ['security-plaintext-password'],
  },
}

test.each(Object.entries(sleeping))('%s, and it is found', async (_, { before, up, found, rewrites = [] }) => {
  const seen = await judged(before, up)
  expect(seen.rewrites).toEqual(rewrites)
  expect(seen.findings).toEqual(found)
})

test('a table of tenants without row security is found where tenants are declared', async () => {
  const up = 'create table notes (id bigint generated always as identity primary key, organization_id bigint not null);'
  const { findings } = await judged(users, up, { tenantColumn: 'organization_id' })
  expect(findings).toContain('tenant-row-security')
})

async function judged(before: string, up: string, settings: Story['settings'] = {}) {
  const step = { version: '202601010000', slug: 'step', text: up, labels: [] }
  const story: Story = { name: 'story', since: 15, settings, classes: {}, before, rows: '', steps: [step] }
  const rehearsal = await rehearseStory(story, inject('serverUrl'))
  const { findings } = await judgeStory(story, rehearsal)
  return {
    findings: findings.flatMap(({ rule, severity }) => (severity === 'notice' ? [] : [rule])),
    rewrites: rehearsal.steps.flatMap(({ statements }) => statements.flatMap(one => one.rewrites)),
  }
}
