/** A call is answered as before while its files are as they were, and judged anew as soon as anything differs that the answer follows from. Runs the compiled code. */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'

const up = 'create table users (id bigint primary key, home char(2));\n'
const down = 'drop table users;\n'
const files = {
  'configs/migrate.yaml': 'version: 1\nproject: story\ntracks:\n  operational:\n    migrations: m\n',
  'm/1_users.up.sql': up,
  'm/1_users.down.sql': down,
}
const marker = 'REMEMBERED'

function lint(cwd: string, env: Readonly<Record<string, string>> = {}, ...more: readonly string[]) {
  return plinth(['lint', 'm', '--no-rehearsal', ...more], { cwd, env })
}

/** Writes a word into what is kept, of the length of the one that it stands for, so that an answer tells where it comes from. */
function mark(folder: string): void {
  const notes = readdirSync(join(folder, '.plinth/cache')).filter(name => name.startsWith('answer-'))
  expect(notes).not.toEqual([])
  for (const name of notes) {
    const note = join(folder, '.plinth/cache', name)
    const [head = '', ...printed] = readFileSync(note, 'utf8').split('\n')
    const marked = printed.join('\n').replace(' by the te', marker)
    expect(marked).toContain(marker)
    writeFileSync(note, `${head}\n${marked}`)
  }
}

async function remembered(folder: string = temporaryFolder(files)): Promise<string> {
  await lint(folder)
  mark(folder)
  const again = await lint(folder)
  expect(again.stdout).toContain(marker)
  expect(again.status).toBe(0)
  return folder
}

/** As files are that nobody touched for a while: their times tell them apart. */
async function settled(): Promise<string> {
  const folder = temporaryFolder(files)
  await sleep(2100)
  return remembered(folder)
}

test.each([
  ['lately', remembered],
  ['long ago', settled],
] as const)('files that changed %s are known by more than their length and time', async (_, make) => {
  const folder = await make()
  const file = join(folder, 'm/1_users.up.sql')
  const { atime, mtime } = statSync(file)
  writeFileSync(file, up.replace('char(2)', 'json   '))
  utimesSync(file, atime, mtime)
  expect(statSync(file).size).toBe(up.length)
  const { stdout } = await lint(folder)
  expect(stdout).toContain('type-json')
  expect(stdout).not.toContain(marker)
})

test('an answer is given again until a file comes, goes, or is another one', async () => {
  const folder = await remembered()
  const place = (name: string) => join(folder, 'm', name)
  writeFileSync(place('2_more.up.sql'), 'create table posts (id bigint primary key, body json);\n')
  writeFileSync(place('2_more.down.sql'), 'drop table posts;\n')
  expect((await lint(folder)).stdout).toContain('type-json')
  mark(folder)
  expect((await lint(folder)).stdout).toContain(marker)

  renameSync(place('2_more.up.sql'), join(folder, 'kept.sql'))
  rmSync(place('2_more.down.sql'))
  const without = await lint(folder)
  expect(without.stdout).not.toContain('type-json')
  expect(without.stdout).not.toContain(marker)

  copyFileSync(join(folder, 'kept.sql'), place('1_users.up.sql'))
  expect((await lint(folder)).stdout).toContain('type-json')
})

test('what is declared has its say: configuration, an environment of it, classification, baseline', async () => {
  const folder = await remembered()
  const said = async (name: string, text: string) => {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
    const { stdout } = await lint(folder)
    expect(stdout).not.toContain(marker)
    mark(folder)
    return stdout
  }
  expect(await said('configs/environments/local.yaml', 'lint:\n  rules:\n    type-char: error\n')).toContain('error')
  expect(await said('configs/migrate.yaml', `${files['configs/migrate.yaml']}# more\n`)).toContain('type-char')
  expect(await said('configs/data-classification.yml', 'version: 1\ntables: {}\n')).toContain('type-char')
  expect(await said('.env', 'A=1\n')).toContain('type-char')
  const written = await plinth(['lint', 'm', '--no-rehearsal', '--update-baseline'], { cwd: folder })
  expect(written.status).toBe(0)
  const { stdout } = await lint(folder)
  expect(stdout).toContain('allowed')
  expect(stdout).not.toContain(marker)
})

test('an allowance ends with its day', async () => {
  const folder = temporaryFolder({
    ...files,
    'm/1_users.up.sql': `-- plinth:allow type-char reason="two letters" until=2031-05-06\n${up}`,
    // Stands in for the clock of the machine.
    'clock.cjs': `const { readFileSync } = require('node:fs')
const day = Date.parse(readFileSync(__dirname + '/day.txt', 'utf8'))
const Real = Date
globalThis.Date = class extends Real {
  constructor(...given) { given.length ? super(...given) : super(day) }
}`,
    'day.txt': '2031-05-06T12:00:00Z',
  })
  const env = { NODE_OPTIONS: `--require ${join(folder, 'clock.cjs')}` }
  expect((await lint(folder, env)).stdout).toContain('1 allowed')
  mark(folder)
  expect((await lint(folder, env)).stdout).toContain(marker)
  writeFileSync(join(folder, 'day.txt'), '2031-05-07T00:00:01Z')
  const { stdout } = await lint(folder, env)
  expect(stdout).not.toContain(marker)
  expect(stdout).toContain('type-char')
  expect(stdout).not.toContain('1 allowed')
})

test('another project in the place of the first is judged for itself', async () => {
  const parent = temporaryFolder()
  const project = join(parent, 'project')
  const write = (folder: string, text: string) => {
    for (const [name, content] of Object.entries({ ...files, 'm/1_users.up.sql': text })) {
      mkdirSync(join(folder, name, '..'), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
  }
  write(project, up)
  await remembered(project)
  write(join(parent, 'other'), up.replace('char(2)', 'json   '))
  renameSync(join(project, '.plinth'), join(parent, 'other/.plinth'))
  rmSync(project, { recursive: true })
  renameSync(join(parent, 'other'), project)
  const { stdout } = await lint(project)
  expect(stdout).toContain('type-json')
  expect(stdout).not.toContain(marker)
})

test('a link that leads elsewhere by now is followed', async () => {
  const folder = temporaryFolder({
    ...files,
    'n/1_users.up.sql': up.replace('char(2)', 'json'),
    'n/1_users.down.sql': down,
  })
  renameSync(join(folder, 'm'), join(folder, 'first'))
  symlinkSync('first', join(folder, 'm'))
  await remembered(folder)
  rmSync(join(folder, 'm'))
  symlinkSync('n', join(folder, 'm'))
  const { stdout } = await lint(folder)
  expect(stdout).toContain('type-json')
  expect(stdout).not.toContain(marker)
})

test('other words, another folder and another variable ask something else', async () => {
  const folder = await remembered()
  expect((await lint(folder, {}, '--json')).json.ok).toBe(true)
  expect((await lint(folder, { PLINTH_STORY: '1' })).stdout).not.toContain(marker)
  const inside = await plinth(['lint', '.', '--no-rehearsal'], { cwd: join(folder, 'm') })
  expect(inside.stdout).toContain('1_users.up.sql:1')
  expect(inside.stdout).not.toContain(marker)
})

test.each([
  ['is cut off', (text: string) => text.slice(0, -1)],
  ['is no note', () => 'nothing'],
  ['is empty', () => ''],
])('a note that %s is passed over', async (_, spoil) => {
  const folder = await remembered()
  for (const name of readdirSync(join(folder, '.plinth/cache')).filter(one => one.startsWith('answer-'))) {
    const note = join(folder, '.plinth/cache', name)
    writeFileSync(note, spoil(readFileSync(note, 'utf8')))
  }
  const { stdout, status } = await lint(folder)
  expect(stdout).toContain('type-char')
  expect(stdout).not.toContain(marker)
  expect(status).toBe(0)
})

test('what a repository or standard input has a say in is never kept', async () => {
  const folder = temporaryFolder(files)
  await plinth(['lint', '-', '--no-rehearsal'], { cwd: folder })
  await plinth(['lint', '--no-rehearsal'], { cwd: folder })
  const names = readdirSync(join(folder, '.plinth/cache'))
  expect(names.filter(name => name.startsWith('answer-'))).toEqual([])
})
