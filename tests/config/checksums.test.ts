import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openChecksums } from '../../src/config/checksums.ts'

describe('checksums of files are remembered', () => {
  let folder: string
  let state: string
  let file: string
  const later = () => Date.now() + 60_000
  /** As a process of its own asks; answers what it was told, and whether it had to compute. */
  const ask = (now = later, text = () => readFileSync(file, 'utf8')) => {
    let computed = 0
    const checksums = openChecksums(state, 'operational', now)
    const answer = checksums.of(file, () => {
      computed++
      return `sum of ${text()}`
    })
    checksums.keep()
    return { answer, computed }
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'plinth-checksums-'))
    state = join(folder, '.plinth')
    file = join(folder, '1_users.up.sql')
    mkdirSync(state)
    writeFileSync(file, 'select 1')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('from one process to the next, for this user alone', () => {
    expect(ask()).toEqual({ answer: 'sum of select 1', computed: 1 })
    expect(ask()).toEqual({ answer: 'sum of select 1', computed: 0 })
    expect(statSync(join(state, 'cache', 'checksums-operational.json')).mode & 0o777).toBe(0o600)
  })

  test('not when the text was changed to one as long, under the old time', () => {
    const { atime, mtime } = statSync(file)
    ask()
    writeFileSync(file, 'select 2')
    utimesSync(file, atime, mtime)
    expect(ask()).toEqual({ answer: 'sum of select 2', computed: 1 })
  })

  test('not when another file took its place', () => {
    ask()
    const { atime, mtime } = statSync(file)
    writeFileSync(join(folder, 'other'), 'select 3')
    utimesSync(join(folder, 'other'), atime, mtime)
    renameSync(join(folder, 'other'), file)
    expect(ask()).toEqual({ answer: 'sum of select 3', computed: 1 })
  })

  test('not while it is so fresh that its next change could not be told', () => {
    expect([ask(Date.now), ask(Date.now)].map(({ computed }) => computed)).toEqual([1, 1])
  })

  test('not when it changed while it was read', () => {
    const changing = () => {
      writeFileSync(file, 'select 4')
      return 'select 1'
    }
    ask(later, changing)
    expect(ask()).toEqual({ answer: 'sum of select 4', computed: 1 })
  })

  test('not where the project has no state folder, nor from a note that is torn', () => {
    ask()
    writeFileSync(join(state, 'cache', 'checksums-operational.json'), '{"key":')
    expect(ask().computed).toBe(1)
    rmSync(state, { recursive: true })
    expect([ask(), ask()].map(({ computed }) => computed)).toEqual([1, 1])
  })
})
