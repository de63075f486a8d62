/** A secret that lint finds is not told again by showing where it stands. */
import { expect, test } from 'vitest'
import { hiding, withoutSecrets } from '../../src/lint/hidden.ts'
import { rules } from '../../src/lint/rules/index.ts'
import { lintExample } from '../support/lint.ts'

const key = ['AKIA', 'Q7XNMBPLR4TVWZ2K'].join('')

test('literals, keys in comments and inserted values are covered, and everything else stays where it was', async () => {
  const up = [
    'create table users (id bigint primary key, password_hash text);',
    `create role reporter superuser password 'correct-horse'; -- was ${key}`,
    "insert into users (id, password) values (1, 'battery",
    "staple');",
    'create index users_idx on users (password_hash);',
  ].join('\n')
  const { findings } = await lintExample({ title: 'secrets', up }, null)
  const shown = withoutSecrets(up, findings)

  for (const secret of ['correct-horse', key, 'battery', 'staple']) expect(shown).not.toContain(secret)
  expect(shown.split('\n').map(line => line.length)).toEqual(up.split('\n').map(line => line.length))
  expect(shown.split('\n')[0]).toBe(up.split('\n')[0])
  expect(shown).toContain('create role reporter superuser password •••••••••••••••; -- was ••••••••••••••••••••')
  expect(JSON.stringify(findings)).not.toMatch(/correct-horse|battery|staple|AKIA/)
})

test('a text without secrets is shown as it is', async () => {
  const up = "create table users (id serial primary key, name varchar default 'nobody');"
  const { findings } = await lintExample({ title: 'no secrets', up }, null)

  expect(findings).not.toEqual([])
  expect(withoutSecrets(up, findings)).toBe(up)
})

test('every rule that says its findings are hidden is known by name', () => {
  expect([...hiding].sort()).toEqual(rules.filter(rule => rule.hidden).map(rule => rule.name))
})
