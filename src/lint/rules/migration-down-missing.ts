import type { FileRule } from '../rule.ts'

export const rule: FileRule = {
  name: 'migration-down-missing',
  category: 'migrations',
  severity: 'warning',
  shape: 'file',
  needs: 'text',
  title: 'A migration has no way back',
  why: `Without a down file a rollback of this version, and of every version below it, is refused. Layouts that keep no down files are left alone:
only \`….up.sql\` is asked for its \`….down.sql\`.`,
  instead: 'Write the down file; where there is nothing to undo, leave it empty but for a comment that says why.',
  examples: {
    bad: [{ title: 'no down file', up: 'create table users (id bigint);' }],
    good: [
      { title: 'with one', up: 'create table users (id bigint);', down: 'drop table users;' },
      { title: 'a layout without downs', up: 'create table users (id bigint);', file: 'V1__users.sql' },
    ],
  },
  *check({ direction, path, opposite, statements }) {
    if (direction === 'down' || opposite !== null || statements.length === 0 || !path.endsWith('.up.sql')) return
    const file = path.replace(/^.*[/\\]/, '').replace(/\.up\.sql$/, '.down.sql')
    yield { message: `There is no ${file}, so that this version cannot be rolled back.`, object: file }
  },
}
