import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createNdjsonSink } from '../../src/telemetry/sinks/ndjson.ts'
import { migration, story } from './story.ts'

describe('the event stream', () => {
  test('is one JSON document a line, with the envelope first, and each event comes back whole', async () => {
    const file = join(folder(), 'deep/events.ndjson')
    const events = story(migration)
    const sink = createNdjsonSink({ file })
    for (const event of events) sink.write(event)
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    await sink.close?.()
    expect(lines.map(line => JSON.parse(line) as unknown)).toEqual(events)
    expect(Object.keys(JSON.parse(lines[0] ?? '') as object).slice(0, 5)).toEqual([
      'schemaVersion',
      'at',
      'runId',
      'sequence',
      'type',
    ])
  })

  test('goes on at the end of a file that is there', async () => {
    const file = join(folder(), 'events.ndjson')
    for (const event of story(migration).slice(0, 2)) {
      const sink = createNdjsonSink({ file })
      sink.write(event)
      await sink.close?.()
      sink.write(event)
    }
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(2)
  })

  test('is out before the process is killed', async () => {
    const child = program(`sink.write(event); process.kill(process.pid, 'SIGKILL')`)
    const [out, [, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')])
    expect(signal).toBe('SIGKILL')
    expect(JSON.parse(out)).toMatchObject({ type: 'warning', message: 'x'.repeat(20_000) })
  })

  test('outlives its reader: the run goes on when nobody reads any more', async () => {
    const child = program(
      `process.stdin.once('data', () => { for (let i = 0; i < 50; i++) sink.write(event); process.stderr.write('finished'); process.exit(7) })`,
    )
    child.stdout.destroy()
    child.stdin.write('go')
    const [err, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    expect([err, status]).toEqual(['finished', 7])
  })

  test('waits for a reader that is slower than the run', async () => {
    const child = program(`for (let i = 0; i < 20; i++) sink.write(event); process.exit(0)`)
    const lines = (await text(child.stdout)).trimEnd().split('\n')
    expect(lines.map(line => (JSON.parse(line) as { message: string }).message.length)).toEqual(
      Array<number>(20).fill(20_000),
    )
  })
})

/** Another process, of the built package, with `sink` on its standard output and an event of twenty thousand letters. */
function program(work: string): ChildProcessWithoutNullStreams {
  const built = pathToFileURL(join(import.meta.dirname, '../../dist/telemetry/sinks/ndjson.js')).href
  const code = `
    import { createNdjsonSink } from '${built}'
    const sink = createNdjsonSink({ to: 'stdout' })
    const event = { type: 'warning', message: 'x'.repeat(20000), hint: null, at: '2026-01-31T12:00:00.000Z', runId: 'run-1', sequence: 0, schemaVersion: 1 }
    ${work}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'pipe' })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'plinth-telemetry-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
