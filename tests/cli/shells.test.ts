/** The command line as shells, pipes and continuous integration use it. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'

const program = join(import.meta.dirname, '../../bin/plinth.js')

test('a command line that is not understood is a document where one was asked for', async () => {
  const option = await plinth(['apply', '--alow-out-of-order', '--json'])
  expect(option.status).toBe(2)
  expect(option.json).toMatchObject({ ok: false, error: { code: 'USAGE', hint: 'Did you mean --allow-out-of-order?' } })
  expect((await plinth(['aply', '--json'])).json.error?.message).toContain("'aply'")
})

test('a result that cannot be written is a failure, one that nobody reads to its end is none', {
  timeout: 30_000,
}, () => {
  const shell = (line: string) =>
    spawnSync('bash', ['-c', line], {
      encoding: 'utf8',
      env: { ...process.env, PLINTH: program, PLINTH_RESIDENT: 'off' },
    })
  const cut = shell('node "$PLINTH" completion zsh | head -1; echo "${PIPESTATUS[0]}"')
  expect(cut).toMatchObject({ stdout: '#compdef plinth\n0\n', stderr: '' })
  if (!existsSync('/dev/full')) return
  const full = shell('node "$PLINTH" completion zsh > /dev/full')
  expect(full.status).toBe(1)
  expect(full.stderr).toBe('The result could not be written to standard output: ENOSPC\n')
})

test('what goes into a pipe has colours only where they are asked for', async () => {
  const isColoured = async (env: Readonly<Record<string, string>>) =>
    (await plinth(['explain', 'lock-index-nonconcurrent'], { env: { NO_COLOR: '', ...env } })).stdout.includes(
      '\u001b[',
    )
  expect(await isColoured({})).toBe(false)
  expect(await isColoured({ CI: 'true' })).toBe(false)
  expect(await isColoured({ FORCE_COLOR: '0' })).toBe(false)
  expect(await isColoured({ FORCE_COLOR: '1' })).toBe(true)
  expect(await isColoured({ FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false)
})

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0

async function scriptFor(shell: string): Promise<string> {
  const { status, stdout } = await plinth(['completion', shell])
  expect(status).toBe(0)
  return stdout
}

test('bash completes commands, their members, options and what options take', async () => {
  const folder = temporaryFolder({ 'complete.bash': await scriptFor('bash'), 'a file.sql': '' })
  const ask = (...words: string[]) => {
    const line = `source ./complete.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plinth; printf '%s\\n' "\${COMPREPLY[@]}"`
    return spawnSync('bash', ['-c', line, 'bash', 'plinth', ...words], { cwd: folder, encoding: 'utf8' })
      .stdout.trimEnd()
      .split('\n')
  }
  expect(ask('ro')).toEqual(['rollback', 'rollup'])
  expect(ask('rollup', 'quarantine', '')).toEqual(['list', 'show', 'admit', 'dismiss'])
  expect(ask('--track', 'operational', 'appl')).toEqual(['apply'])
  expect(ask('lint', '--format', 's')).toEqual(['sarif'])
  expect(ask('lint', '--max')).toEqual(['--max-warnings'])
  expect(ask('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  expect(ask('lint', 'a')).toEqual(['a file.sql'])
  expect((await plinth(['completion', 'tcsh'])).status).toBe(2)
})

test.skipIf(!has('fish'))('fish completes with what each word means', async () => {
  const folder = temporaryFolder({ 'complete.fish': await scriptFor('fish') })
  const ask = (line: string) =>
    spawnSync('fish', ['-c', `source complete.fish; complete -C ${JSON.stringify(line)}`], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, HOME: folder },
    }).stdout
  expect(ask('plinth app')).toBe('apply\tapply what is pending\n')
  expect(ask('plinth rollup quarantine d')).toMatch(/^dismiss\t/)
  expect(ask('plinth lint --format g')).toMatch(/^github\t.*\ngitlab\t/)
})

test.skipIf(!has('zsh'))('zsh reads its script', async () => {
  const folder = temporaryFolder({ _plinth: await scriptFor('zsh') })
  const line =
    'fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; print -r -- ${_comps[plinth]}; autoload +X _plinth && print loaded'
  expect(spawnSync('zsh', ['-f', '-c', line], { cwd: folder, encoding: 'utf8' })).toMatchObject({
    stdout: '_plinth\nloaded\n',
    stderr: '',
  })
})
