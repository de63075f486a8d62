/** What V8 made of scripts is kept beside them, and never stands in for a script that is another by now. Runs the compiled code. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/cli.ts'

const loader = join(import.meta.dirname, '../../dist/bundle/compiled.cjs')
const says = (word: string) => `console.log(${JSON.stringify(word)})`

/** What the script `tell.cjs` of the folder prints. */
function run(folder: string): string {
  const bundle = JSON.stringify(join(folder, 'bundle'))
  const program = `const keep = require(${JSON.stringify(loader)}).useCompiled(${bundle}, 'tell'); require(${bundle} + '/tell.cjs'); process.on('exit', keep)`
  return execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim()
}

/** As a build or an installation leaves it. */
function write(folder: string, script: string, digest: string): void {
  writeFileSync(join(folder, 'bundle/tell.cjs'), script)
  utimesSync(join(folder, 'bundle/tell.cjs'), 0, 499_162_500)
  writeFileSync(join(folder, 'bundle/digest.txt'), digest)
}

function keptIn(folder: string): string {
  const [file = ''] = readdirSync(join(folder, 'compiled'))
  return join(folder, 'compiled', file)
}

test('the second run takes what the first one kept, and a script that changed is compiled anew', () => {
  const folder = temporaryFolder({ 'bundle/tell.cjs': '' })
  write(folder, says('one'), 'a')
  expect(run(folder)).toBe('one')
  const { mtimeMs } = statSync(keptIn(folder))
  expect(run(folder)).toBe('one')
  expect(statSync(keptIn(folder)).mtimeMs).toBe(mtimeMs)

  // As long as before, and of the same time, as the files of packages are.
  write(folder, says('two'), 'b')
  expect(run(folder)).toBe('two')
  expect(run(folder)).toBe('two')
})

test.each([
  ['is cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 100)],
  ['is something else', () => Buffer.from('[]')],
  ['is empty', () => Buffer.alloc(0)],
])('a file that %s is passed over and written again', (_, spoil) => {
  const folder = temporaryFolder({ 'bundle/tell.cjs': says('one'), 'bundle/digest.txt': 'a' })
  run(folder)
  const whole = readFileSync(keptIn(folder))
  writeFileSync(keptIn(folder), spoil(whole))
  expect(run(folder)).toBe('one')
  expect(readFileSync(keptIn(folder)).length).toBe(whole.length)
})

test('a script that imports a module while it runs is left to Node', () => {
  const folder = temporaryFolder({
    'bundle/digest.txt': 'a',
    'bundle/tell.cjs': "import('node:path').then(({ sep }) => console.log(sep.length))",
  })
  expect(run(folder)).toBe('1')
  expect(run(folder)).toBe('1')
  expect(existsSync(join(folder, 'compiled'))).toBe(false)
})

test('without the digest of its build nothing is kept', () => {
  const folder = temporaryFolder({ 'bundle/tell.cjs': says('one') })
  expect(run(folder)).toBe('one')
  expect(existsSync(join(folder, 'compiled'))).toBe(false)
})
