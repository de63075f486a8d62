/** What makes lint fast changes nothing of what it says. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/load.ts'
import { rememberReport } from '../../src/foundation/lint-remember.ts'
import { examineParts, partsOf, type Team } from '../../src/lint/parts.ts'
import { rules } from '../../src/lint/rules/index.ts'
import { lint } from '../../src/lint/run.ts'
import { settingsOf } from '../../src/lint/settings.ts'
import type { LintSource, ReadScript } from '../../src/lint/source.ts'
import type { Fact } from '../../src/lint/text-facts.ts'
import { openParser } from '../../src/sql/parse.ts'

const texts = [
  'create table users (id bigint primary key, age smallint, name varchar(10));',
  'create table people (like users);\nalter table users rename column age to years;',
  'alter table users alter column years type bigint;\nalter table users alter column name type varchar(20);',
  'alter table people alter column age type bigint;\nalter table people rename to persons;',
  'alter table persons alter column name type text;\ndrop table users;',
  'alter table persons alter column name type varchar(5);\ncreate index on persons (name);',
]
const sources = texts.map(
  (text, at): LintSource => ({
    path: `${at + 1}_step.up.sql`,
    direction: 'up',
    version: String(at + 1),
    slug: 'step',
    text,
    opposite: null,
    role: 'judged',
  }),
)
const last = sources.at(-1) as LintSource
const asked = {
  settings: settingsOf({}),
  classOf: () => undefined,
  severities: new Map(),
  today: '2026-11-23',
  rehearsal: null,
  rules,
}

async function report() {
  return lint({ ...asked, sources, baseline: null, scope: 'every file', rehearse: null })
}

describe('texts that are judged in parts', () => {
  it.each([1, 2, 3, 4, 5])('say the same when the second part begins with number %i', async start => {
    const parse = await openParser('postgres')
    const read: ReadScript = ({ text, path }) => parse(text, path)
    const parts = [sources.slice(0, start), sources.slice(start)]
    const told = new Map<number, readonly Fact[]>()
    // What travels between threads is copied.
    const hand = (own: number): Team => ({
      take: () => (told.has(own) ? undefined : own),
      tell: (part, facts) => told.set(part, structuredClone(facts())),
      hear: async part => () => told.get(part) ?? [],
    })
    const whole = await report()
    const shared = await lint({
      ...asked,
      sources,
      baseline: null,
      scope: 'every file',
      rehearse: null,
      share: async () => [
        await examineParts(parts, { ...asked, read }, hand(0)),
        await examineParts(parts, { ...asked, read }, hand(1)),
      ],
    })
    expect(whole.findings.length).toBeGreaterThan(3)
    expect(shared).toEqual(whole)
  })

  it('do not have what is only their context read before a rule asks for it', async () => {
    const parse = await openParser('postgres')
    const past = sources.map(source => ({ ...source, role: 'context' as const }))
    const seen: string[] = []
    const read: ReadScript = ({ text, path }) => {
      seen.push(path)
      return parse(text, path)
    }
    const judge = (text: string) =>
      lint({
        ...asked,
        sources: [...past, { ...last, path: 'next.up.sql', version: '9', text }],
        read,
        baseline: null,
        scope: 'some files',
        rehearse: null,
      })
    await judge('create table lonely (id bigint primary key);')
    expect(seen).toEqual(['next.up.sql'])
    const { findings } = await judge('alter table persons alter column name type varchar(3);')
    expect(seen.length).toBeGreaterThan(2)
    expect(findings.map(({ rule }) => rule)).toContain('data-narrow-type')
  })

  it('are as many parts as their length asks for, in their order', () => {
    const long = sources.map(source => ({ ...source, text: `${source.text}\n-- ${'x'.repeat(10_000)}` }))
    expect(partsOf(long).map(part => part.length)).toEqual([2, 2, 2])
    expect(partsOf(long).flat()).toEqual(long)
  })
})

describe('what was said before', () => {
  let root = ''
  let judged = 0
  const config = () => ({ state: join(root, '.plinth'), file: join(root, 'migrate.yaml') }) as Config
  const ask = (change: Partial<Parameters<typeof rememberReport>[1]> = {}) =>
    rememberReport(config(), { sources, declared: {}, today: '2026-11-23', ...change }, async () => {
      judged++
      return report()
    })
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'plinth-lint-'))
    mkdirSync(join(root, '.plinth'))
    judged = 0
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('is said again of the same texts, also on another day', async () => {
    const first = await ask()
    expect(await ask({ today: '2026-11-24' })).toEqual(first)
    expect(judged).toBe(1)
  })

  it('is not said where a text before, a severity or its role changed', async () => {
    await ask()
    await ask({ sources: sources.map((one, at) => (at === 0 ? { ...one, text: `${one.text}\nselect 1;` } : one)) })
    await ask({ declared: { rules: { 'name-length': 'off' } } })
    await ask({ sources: sources.map((one, at) => (at === 0 ? { ...one, role: 'context' as const } : one)) })
    expect(judged).toBe(4)
  })

  it('is not said on another day where something is allowed', async () => {
    const allowed = sources.map(one => ({
      ...one,
      text: `-- plinth:allow rewrite-column-type until=2026-11-23\n${one.text}`,
    }))
    await ask({ sources: allowed })
    await ask({ sources: allowed, today: '2026-11-24' })
    expect(judged).toBe(2)
  })
})
