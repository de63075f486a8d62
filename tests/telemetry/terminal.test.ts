import { describe, expect, test } from 'vitest'
import type { Fact } from '../../src/telemetry/event.ts'
import { createTerminalSink, type TerminalOptions } from '../../src/telemetry/sinks/terminal.ts'
import { migration, story } from './story.ts'

describe('a log', () => {
  test('has a plain line for each finished piece of work and none for details', () => {
    expect(told(migration)).toBe(
      [
        '-- waiting for the lock plinth:operational, held by bob (4711), for 5.0 s',
        '-- got the lock plinth:operational after 6.0 s',
        'ok up 202601010000_tables  25 statements, 12 rows, 1 table  190 ms',
        'failed up 202601020000_rows  CONSTRAINT_VIOLATED (SQLSTATE 23505) in line 4, 90 ms',
        '',
      ].join('\n'),
    )
  })

  test('verbose tells each statement', () => {
    const lines = told(migration, { verbosity: 'verbose' }).split('\n')
    expect(lines).toContain('-- 202601020000 line 1: insert into platform.users, 3 rows, 10 ms')
    expect(lines.filter(line => line.includes('create table'))).toHaveLength(25)
  })

  test('quiet tells problems alone', () => {
    const warning: Fact = { type: 'warning', message: 'The default partition holds rows.', hint: 'Make partitions.' }
    expect(told([...migration, [8000, warning]], { verbosity: 'quiet' })).toBe(
      'failed up 202601020000_rows  CONSTRAINT_VIOLATED (SQLSTATE 23505) in line 4, 90 ms\nwarning The default partition holds rows. Make partitions.\n',
    )
  })

  test('shows every five seconds that long work is alive, and how long it has left', () => {
    const progress = (done: number): Fact => ({
      type: 'progress',
      task: 'seed usage_events',
      done,
      total: 100_000,
      unit: 'rows',
    })
    const facts = Array.from({ length: 11 }, (_, second): readonly [number, Fact] => [
      second * 1000,
      progress(second * 5000),
    ])
    expect(told(facts)).toBe(
      '-- seed usage_events  25 %  25,000 of 100,000 rows  5,000/s  15.0 s left\n-- seed usage_events  50 %  50,000 of 100,000 rows  5,000/s  10.0 s left\n',
    )
  })

  test('holds nothing that could steer a terminal, wherever it came from', () => {
    const hostile: Fact = { type: 'warning', message: 'a\u001b[2Jb\r\nc\u202ed', hint: null }
    expect(told([[0, hostile]])).toBe('warning a [2Jb c d\n')
  })

  test('has colours only when they were asked for', () => {
    const facts = migration.slice(0, 30)
    expect(told(facts, { environment: { FORCE_COLOR: '1' } })).toContain('\u001b[32mok')
    expect(told(facts, { environment: { FORCE_COLOR: '1', NO_COLOR: '1' } })).not.toContain('\u001b')
    expect(told(facts, { environment: { FORCE_COLOR: '1' }, color: 'never' })).not.toContain('\u001b')
  })

  test('a terminal in CI, or one that can do nothing, is a log', () => {
    for (const environment of [{ CI: 'true', NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const out = told(migration, { environment }, { isTTY: true })
      expect(out).not.toContain('\r')
      expect(out).toContain('ok up 202601010000_tables')
    }
  })

  test('what could not be reconciled is a problem, what was repaired is not', () => {
    const fact = (different: number, repaired: number): Fact => ({
      type: 'reconciliation.finished',
      source: 'usage_events',
      cells: 10,
      different,
      repaired,
      durationMs: 5,
    })
    expect(
      told([
        [0, fact(0, 0)],
        [1, fact(2, 2)],
        [2, fact(2, 1)],
      ]),
    ).toBe(
      [
        'ok reconciled 10 cells of usage_events: 0 different  5 ms',
        'ok reconciled 10 cells of usage_events: 2 different, 2 repaired  5 ms',
        'warning reconciled 10 cells of usage_events: 2 different, 1 repaired',
        '',
      ].join('\n'),
    )
  })
})

describe('a terminal', () => {
  const progress = (done: number, total: number | null = 1000): Fact => ({
    type: 'progress',
    task: 'copy',
    done,
    total,
    unit: 'rows',
  })

  test('rewrites one line for progress and removes it before a line that stays', () => {
    const out = told(
      [
        [0, progress(100)],
        [1000, progress(500)],
        [1100, { type: 'document.written', file: 'db/docs/erd.svg', changed: true }],
      ],
      {},
      { isTTY: true },
    )
    expect(out.startsWith('\r\u001b[2Kcopy  ██░░')).toBe(true)
    expect(screen(out)).toBe('✓ wrote db/docs/erd.svg\n')
  })

  test('ends with the live line gone, so that what follows stands alone', async () => {
    const { sink, written } = open({}, { isTTY: true })
    for (const event of story([[0, progress(100)]])) sink.write(event)
    expect(screen(written())).toContain('copy')
    await sink.close?.()
    expect(screen(written())).toBe('')
  })

  test('clears the live line for others to write', () => {
    const { sink, written } = open({}, { isTTY: true })
    for (const event of story([[0, progress(100)]])) sink.write(event)
    sink.clear()
    expect(screen(written())).toBe('')
  })

  test('never lets the live line wrap', () => {
    const out = told(
      [[0, { type: 'progress', task: 'x'.repeat(200), done: 1, total: 10, unit: 'rows' }]],
      {},
      { isTTY: true, columns: 40 },
    )
    expect(Array.from(screen(out))).toHaveLength(39)
  })

  test('shows work without an end by its number and rate', () => {
    const { sink, written } = open({}, { isTTY: true })
    for (const event of story([[0, progress(1, null)]])) sink.write(event)
    expect(screen(written())).toBe('copy  1 rows')
  })
})

function open(options: Partial<TerminalOptions>, stream: { readonly isTTY?: boolean; readonly columns?: number } = {}) {
  const parts: string[] = []
  const sink = createTerminalSink({
    verbosity: 'normal',
    environment: { NO_COLOR: '1' },
    ...options,
    stream: { ...stream, write: part => parts.push(part) },
  })
  return { sink, written: () => parts.join('') }
}

function told(
  facts: readonly (readonly [number, Fact])[],
  options: Partial<TerminalOptions> = {},
  stream: { readonly isTTY?: boolean; readonly columns?: number } = {},
): string {
  const { sink, written } = open(options, stream)
  for (const event of story(facts)) sink.write(event)
  const out = written()
  void sink.close?.()
  return out
}

/** What a terminal shows after these bytes: a carriage return with "erase line" empties the last line. */
function screen(bytes: string): string {
  return bytes
    .split('\n')
    .map(line => line.split('\r\u001b[2K').at(-1))
    .join('\n')
}
