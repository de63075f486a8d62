import type { FileRule } from '../rule.ts'

/** Reads, settings and controls leave nothing to undo. */
const harmless = /^(Select|VariableSet|Transaction|Vacuum|Comment|Explain|Refresh\w*|Reindex)Stmt$/

export const rule: FileRule = {
  name: 'migration-down-empty',
  category: 'migrations',
  severity: 'warning',
  shape: 'file',
  needs: 'text',
  title: 'A down file does nothing, and does not say why',
  why: `A rollback then takes the version out of the history and leaves its changes: the next apply fails on what is still there. A comment tells
that this is meant.`,
  instead: 'Write the statements that undo the up, or a comment that says why nothing is undone.',
  examples: {
    bad: [{ title: 'empty', up: 'create table users (id bigint);', down: '\n' }],
    good: [
      { title: 'undoes the up', up: 'create table users (id bigint);', down: 'drop table users;' },
      {
        title: 'says why',
        up: 'create table users (id bigint);\ninsert into users values (1);',
        down: '-- The rows stay: reports of the past name them.\n',
      },
    ],
  },
  *check({ direction, opposite, statements, version, path }) {
    const changes = statements.some(({ statement }) => !harmless.test(statement.kind))
    if (direction === 'down' || opposite === null || !changes || opposite.replace(/[\s;]/g, '') !== '') return
    yield {
      message: 'The down of this migration is empty, so that a rollback leaves its changes.',
      object: version ?? path,
    }
  },
}
