import type { FileRule } from '../rule.ts'
import { hasLockTimeout } from '../timeouts.ts'
import { tablesShut } from '../weight.ts'

export const rule: FileRule = {
  name: 'lock-timeout-missing',
  category: 'locks',
  severity: 'warning',
  shape: 'file',
  needs: 'text',
  title: 'A table in use is locked without a lock timeout',
  why: `Where the runner sets no \`lock_timeout\`, a statement waits for its lock without end, and everybody who comes later waits behind it.
The rule is silent where the runner sets it for every step.`,
  instead: "Write `set local lock_timeout = '2s';` at the top of the file, or let the run set it (`lockTimeout`).",
  examples: {
    bad: [
      {
        title: 'the runner sets none',
        before: 'create table users (id bigint);',
        up: 'alter table users add column name text;',
        settings: { runnerSetsTimeouts: false },
      },
    ],
    good: [
      {
        title: 'the file sets it',
        before: 'create table users (id bigint);',
        up: "set local lock_timeout = '2s';\nalter table users add column name text;",
        settings: { runnerSetsTimeouts: false },
      },
      {
        title: 'the run sets it',
        before: 'create table users (id bigint);',
        up: 'alter table users add column name text;',
      },
    ],
  },
  *check(file) {
    if (hasLockTimeout(file, 0)) return
    const first = file.statements.find(view => tablesShut(view).length > 0)
    if (!first || hasLockTimeout(file, first.statement.index)) return
    const { statement } = first
    yield {
      message: `"${statement.summary}" waits for its lock without end, and everybody else behind it.`,
      object: tablesShut(first)[0] ?? statement.summary,
      range: { start: statement.start, end: statement.end },
    }
  },
}
