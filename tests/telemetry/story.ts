/** A run as its facts tell it, with times that the test chooses. */
import type { Event, Fact } from '../../src/telemetry/event.ts'

export const beganAtMs = Date.parse('2026-01-31T12:00:00.000Z')

/** `[milliseconds after the beginning, fact]` as events of one run. */
export function story(facts: readonly (readonly [number, Fact])[], runId = 'run-1'): Event[] {
  return facts.map(([afterMs, fact], sequence) => ({
    ...fact,
    at: new Date(beganAtMs + afterMs).toISOString(),
    runId,
    sequence,
    schemaVersion: 1,
  }))
}

/** One step that succeeds after 25 statements, and one that fails in its second. */
export const migration: readonly (readonly [number, Fact])[] = [
  [0, { type: 'run.started', command: 'apply', track: 'operational', environment: 'local', actor: 'ada' }],
  [6000, { type: 'lock.waiting', lock: 'plinth:operational', holder: 'bob (4711)', waitedMs: 5000 }],
  [7000, { type: 'lock.acquired', lock: 'plinth:operational', waitedMs: 6000 }],
  [
    7010,
    {
      type: 'step.started',
      track: 'operational',
      version: '202601010000',
      slug: 'tables',
      direction: 'up',
      statements: 25,
      transactional: true,
      engine: 'postgres',
    },
  ],
  ...Array.from({ length: 25 }, (_, index): readonly [number, Fact] => [
    7100,
    {
      type: 'statement.finished',
      version: '202601010000',
      index,
      line: index * 2 + 1,
      summary: `create table t${index}`,
      rows: 0,
      durationMs: index,
      startedAtMs: beganAtMs + 7010 + index,
    },
  ]),
  [
    7200,
    {
      type: 'step.finished',
      track: 'operational',
      version: '202601010000',
      slug: 'tables',
      direction: 'up',
      statements: 25,
      rows: 12,
      tables: ['platform.users'],
      durationMs: 190,
    },
  ],
  [
    7210,
    {
      type: 'step.started',
      track: 'operational',
      version: '202601020000',
      slug: 'rows',
      direction: 'up',
      statements: 2,
      transactional: true,
      engine: 'postgres',
    },
  ],
  [
    7220,
    {
      type: 'statement.finished',
      version: '202601020000',
      index: 0,
      line: 1,
      summary: 'insert into platform.users',
      rows: 3,
      durationMs: 10,
      startedAtMs: beganAtMs + 7210,
    },
  ],
  [
    7300,
    {
      type: 'step.failed',
      track: 'operational',
      version: '202601020000',
      slug: 'rows',
      direction: 'up',
      code: 'CONSTRAINT_VIOLATED',
      sqlState: '23505',
      line: 4,
      durationMs: 90,
    },
  ],
  [7310, { type: 'lock.released', lock: 'plinth:operational', heldMs: 310 }],
  [7320, { type: 'run.finished', command: 'apply', status: 'failed', durationMs: 7320, code: 'CONSTRAINT_VIOLATED' }],
]
