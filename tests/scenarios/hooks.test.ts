/** Stories of hooks: what they are told, what they can stop, and what they cannot. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const migrations = {
  'db/1_customers.up.sql': 'create table customers (id int primary key);\n',
  'db/1_customers.down.sql': 'drop table customers;\n',
  'db/2_orders.up.sql': 'create table orders (id int primary key);\n',
  'db/2_orders.down.sql': 'drop table orders;\n',
}

interface Fact {
  readonly hook: string
  readonly [name: string]: unknown
}

async function story(
  hooks: string,
  files: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
) {
  const { url, name } = await emptyDatabase()
  const cwd = temporaryFolder({
    'plinth.yaml': `version: 1\ntracks:\n  operational: { migrations: db, database: "\${HOME_DATABASE}" }\nhooks:\n${hooks}`,
    ...migrations,
    ...files,
  })
  const options = { cwd, env: { HOME_DATABASE: url, ...env } }
  const log = join(cwd, 'facts.ndjson')
  return {
    cwd,
    name,
    write: (file: string, text: string) => writeFileSync(join(cwd, file), text),
    run: (...args: string[]) => plinth(args, options),
    start: (...args: string[]) => startPlinth(args, options),
    facts: (): Fact[] =>
      existsSync(log)
        ? readFileSync(log, 'utf8')
            .trim()
            .split('\n')
            .map(line => JSON.parse(line) as Fact)
        : [],
    tables: () =>
      withClient(url, async client => {
        const { rows } = await client.query<{ name: string }>(
          "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
        )
        return rows.map(row => row.name)
      }),
  }
}

const everywhere = (hook: string) =>
  ['before-run', 'after-run', 'before-step', 'after-step', 'on-failure']
    .map(moment => `  ${moment}: ${hook}\n`)
    .join('')

test('a command is told every moment once, in order, and nothing of a preview', async () => {
  const { run, facts, name } = await story(everywhere('cat >> facts.ndjson'))
  await run('plan')
  await run('apply', '--dry-run')
  expect(facts()).toEqual([])
  expect((await run('apply')).status).toBe(0)
  expect((await run('apply')).stdout).toContain('nothing to do')
  const moments = facts().map(fact => [fact.hook, (fact['step'] as { version: string } | null)?.version ?? null])
  expect(moments).toEqual([
    ['before-run', null],
    ['before-step', '1'],
    ['after-step', '1'],
    ['before-step', '2'],
    ['after-step', '2'],
    ['after-run', null],
  ])
  expect(facts()[0]).toMatchObject({
    schemaVersion: 1,
    command: 'apply',
    environment: 'local',
    track: 'operational',
    direction: 'up',
    from: null,
    to: '2',
    steps: [{ version: '1' }, { version: '2', slug: 'orders' }],
    step: null,
    result: null,
    error: null,
  })
  expect(facts()[0]?.['database']).toMatch(new RegExp(`/${name}$`))
  expect(facts()[2]).toMatchObject({ step: { tables: ['customers'], statements: 1 }, result: { stepsDone: 1 } })
  expect(facts().at(-1)).toMatchObject({ result: { stepsDone: 2, rows: 0 }, error: null })
  await run('rollback', '--steps', '1', '--yes')
  expect(facts().slice(6)).toMatchObject([{ hook: 'before-run', direction: 'down' }, {}, {}, { hook: 'after-run' }])
})

test('a module gets the fact as its argument', async () => {
  const { run, facts } = await story(everywhere('./hooks/note.mjs'), {
    'hooks/note.mjs':
      "import { appendFileSync } from 'node:fs'\nexport default async fact => appendFileSync('facts.ndjson', `${JSON.stringify(fact)}\\n`)\n",
  })
  expect((await run('apply')).status).toBe(0)
  expect(facts().map(({ hook }) => hook)).toHaveLength(6)
})

test('a hook before the run stops it with nothing changed, and the hook of failure is told', async () => {
  const { run, tables, facts } = await story(
    '  before-run: "echo frozen until Monday >&2; exit 1"\n  on-failure: cat >> facts.ndjson\n',
  )
  const ran = await run('apply', '--json')
  expect(ran).toMatchObject({ status: 5, json: { error: { code: 'HOOK_REFUSED' } } })
  expect(ran.json.error?.message).toContain('frozen until Monday')
  expect(await tables()).toEqual([])
  expect(facts()).toMatchObject([{ hook: 'on-failure', error: { code: 'HOOK_REFUSED' } }])
})

test('a hook before a step stops that step, and the next run goes on there without being asked to retry', async () => {
  const gate =
    "import { existsSync } from 'node:fs'\nexport default fact => fact.step.version !== '2' || existsSync('open')\n"
  const { run, tables, write } = await story('  before-step: ./gate.mjs\n', { 'gate.mjs': gate })
  const ran = await run('apply', '--json')
  expect(ran).toMatchObject({ status: 5, json: { error: { code: 'HOOK_REFUSED' } } })
  expect(ran.json.error?.message).toMatch(/^2_orders was not begun: hooks\.before-step \(gate\.mjs\) failed/)
  expect(await tables()).toEqual(['customers'])
  write('open', '')
  expect((await run('apply')).status).toBe(0)
  expect(await tables()).toEqual(['customers', 'orders'])
})

test('a hook that fails afterwards is reported and changes nothing', async () => {
  const { run, tables } = await story('  after-step: [/bin/sh, -c, "exit 3"]\n  after-run: "exit 4"\n')
  const ran = await run('apply', '--json')
  expect(ran.status).toBe(0)
  expect(ran.json).toMatchObject({ ok: true })
  expect((ran.json as unknown as { warnings: string[] }).warnings).toEqual([
    'hooks.after-step (sh) failed: exit status 3. What was done stays done.',
    'hooks.after-step (sh) failed: exit status 3. What was done stays done.',
    'hooks.after-run (its command) failed: exit status 4. What was done stays done.',
  ])
  expect(ran.stderr).toContain('hooks.after-run')
  expect(await tables()).toEqual(['customers', 'orders'])
})

test('a failed step is told with its error, and after hooks are not called', async () => {
  const { run, facts, write } = await story(everywhere('cat >> facts.ndjson'))
  write('db/2_orders.up.sql', "select 'geheim';\ninsert into nowhere values (1);\n")
  expect((await run('apply')).status).toBe(1)
  expect(facts().map(({ hook }) => hook)).toEqual([
    'before-run',
    'before-step',
    'after-step',
    'before-step',
    'on-failure',
  ])
  expect(facts().at(-1)).toMatchObject({
    step: { version: '2' },
    result: { stepsDone: 1 },
    error: { code: 'SQL_FAILED', sqlState: '42P01', line: 2 },
  })
  expect(JSON.stringify(facts())).not.toContain('geheim')
})

test('several hooks of a moment are called in order, and the first that refuses ends it', async () => {
  const { run, cwd } = await story(
    '  before-run:\n    - command: [/bin/sh, -c, "echo a >> order"]\n    - command: echo b >> order; exit 1\n    - command: echo c >> order\n',
  )
  expect((await run('apply')).status).toBe(5)
  expect(readFileSync(join(cwd, 'order'), 'utf8')).toBe('a\nb\n')
})

test('a command sees neither keys nor passwords, unless it asks for them by name', async () => {
  const secrets = {
    PLINTH_MASTER_KEY: 'geheim1',
    PGPASSWORD: 'geheim2',
    OTHER_URL: 'mysql://me:geheim3@h/db',
    PLAIN: 'seen',
  }
  const { run, cwd } = await story(
    '  before-run: env > all\n  after-run:\n    command: env > asked\n    environment: [PLINTH_MASTER_KEY]\n',
    {},
    secrets,
  )
  expect((await run('apply')).status).toBe(0)
  const all = readFileSync(join(cwd, 'all'), 'utf8')
  expect(all).toContain('PLAIN=seen')
  expect(all).not.toMatch(/geheim|HOME_DATABASE/)
  const asked = readFileSync(join(cwd, 'asked'), 'utf8')
  expect(asked).toContain('PLINTH_MASTER_KEY=geheim1')
  expect(asked).not.toMatch(/geheim[23]/)
})

test.each([
  ['a command', '  before-run: { command: "sleep 60", timeoutSeconds: 0.3 }\n'],
  ['a module', '  before-run: { module: ./never.mjs, timeoutSeconds: 0.3 }\n'],
])('%s that does not end in time refuses', async (_, hooks) => {
  const { run, tables } = await story(hooks, {
    'never.mjs': 'export default () => new Promise(resolve => setTimeout(resolve, 60_000).unref())\n',
  })
  const ran = await run('apply', '--json')
  expect(ran).toMatchObject({ status: 5, json: { error: { code: 'HOOK_REFUSED' } } })
  expect(ran.json.error?.message).toContain('did not end within 0.3 s')
  expect(await tables()).toEqual([])
})

test('an interruption ends the hook and the run', async () => {
  const { start, cwd, tables } = await story('  before-step: "touch begun; exec sleep 60"\n')
  const { child, ended } = start('apply', '--json')
  while (!existsSync(join(cwd, 'begun'))) await sleep(20)
  child.kill('SIGINT')
  expect(await ended).toMatchObject({ status: 130, json: { error: { code: 'INTERRUPTED' } } })
  expect(await tables()).toEqual([])
})

test.each([
  ['a program that is not there', '  after-run: [not-there-at-all]\n', /program "not-there-at-all"/],
  ['a module that is not there', '  after-run: ./hooks/gone.mjs\n', /module is not there/],
  ['a module without a function', '  after-run: ./empty.mjs\n', /exports no function/],
  ['a module that is malformed', '  after-run: ./malformed.mjs\n', /cannot be loaded/],
])('%s stops the run at its beginning', async (_, hooks, message) => {
  const { run, tables } = await story(hooks, {
    'empty.mjs': 'export const x = 1\n',
    'malformed.mjs': 'export default (\n',
  })
  const ran = await run('apply', '--json')
  expect(ran).toMatchObject({ status: 2, json: { error: { code: 'HOOK_INVALID' } } })
  expect(ran.json.error?.message).toMatch(message)
  expect(await tables()).toEqual([])
})

test('a TypeScript module has types, enums and neighbours, whatever this Node.js can load by itself', async () => {
  const { run, facts, cwd } = await story('  after-step: ./hooks/note.ts\n  after-run: ./hooks/plain.mts\n', {
    'hooks/note.ts': [
      "import { appendFileSync } from 'node:fs'",
      "import type { Fact } from './shape.ts'",
      "import { Mark, wordOf } from './shape.ts'",
      "import { ending } from './ending'",
      'export default function note(fact: Fact): void {',
      '  const line: string = JSON.stringify({ hook: fact.hook, word: wordOf(Mark.After) })',
      '  appendFileSync(`facts.${ending satisfies string}`, `${line}\\n`)',
      '}',
    ].join('\n'),
    'hooks/shape.ts':
      "export interface Fact { readonly hook: string }\nexport enum Mark { Before, After }\nexport const wordOf = (mark: Mark): string => Mark[mark] ?? ''\n",
    'hooks/ending.ts': "export const ending = 'ndjson' as const\n",
    'hooks/plain.mts':
      "import { appendFileSync } from 'node:fs'\nexport default (fact: { hook: string }): void => appendFileSync('facts.ndjson', `${JSON.stringify(fact)}\\n`)\n",
  })
  expect(await run('apply', '--json')).toMatchObject({ status: 0 })
  expect(facts()).toMatchObject([
    { hook: 'after-step', word: 'After' },
    { hook: 'after-step', word: 'After' },
    { hook: 'after-run' },
  ])
  expect(readdirSync(join(cwd, 'hooks')).sort()).toEqual(['ending.ts', 'note.ts', 'plain.mts', 'shape.ts'])
})

test.each([
  ['that throws when it is loaded', "throw new Error('no freeze today')\n", /no freeze today/],
  ['with a type that is not closed', 'export default (fact: { hook: string ) => fact\n', /cannot be loaded/],
  ['that imports what is not there', "import './gone.ts'\nexport default () => true\n", /gone/],
])('a TypeScript module %s stops the run at its beginning, in its own words', async (_, text, message) => {
  const { run, tables } = await story('  after-run: ./note.ts\n', { 'note.ts': text })
  const ran = await run('apply', '--json')
  expect(ran).toMatchObject({ status: 2, json: { error: { code: 'HOOK_INVALID', location: { file: 'note.ts' } } } })
  expect(ran.json.error?.message).toMatch(message)
  expect(await tables()).toEqual([])
})

test.each([
  ['a moment that is not known', '  before-rum: "true"\n', /before-rum/],
  ['both a command and a module', '  before-run: { command: x, module: y }\n', /either a command or a module/],
  ['neither', '  before-run: { timeoutSeconds: 3 }\n', /either a command or a module/],
])('%s is refused with its line', async (_, hooks, message) => {
  const { run } = await story(hooks)
  const ran = await run('apply', '--json')
  expect(ran).toMatchObject({ status: 2, json: { error: { code: 'CONFIG_INVALID', location: { line: 5 } } } })
  expect(ran.json.error?.message).toMatch(message)
})

test('a program of the project is named by its path', async () => {
  const { run, cwd } = await story('  before-run: [./hooks/note.sh, here]\n', {
    'hooks/note.sh': '#!/bin/sh\necho "$1" > noted\n',
  })
  expect((await run('apply', '--json')).json.error).toMatchObject({ code: 'HOOK_INVALID' })
  chmodSync(join(cwd, 'hooks/note.sh'), 0o755)
  expect((await run('apply')).status).toBe(0)
  expect(readFileSync(join(cwd, 'noted'), 'utf8')).toBe('here\n')
})
