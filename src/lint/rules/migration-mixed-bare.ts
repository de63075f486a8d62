import type { FileRule } from '../rule.ts'

/** They leave nothing half done. */
const harmless = /^(VariableSet|Comment|Select|Vacuum)Stmt$/

export const rule: FileRule = {
  name: 'migration-mixed-bare',
  category: 'migrations',
  severity: 'notice',
  shape: 'file',
  needs: 'text',
  title: 'One statement takes the transaction away from all the others',
  why: `A statement that cannot run in a transaction, such as \`create index concurrently\`, makes its whole file run statement by statement: a
failure in the middle leaves what came before. An apply goes on there the next time; other runners begin anew and fail on what is
there.`,
  instead: 'Move it into a file of its own, so that the others stay all or nothing.',
  examples: {
    bad: [
      {
        title: 'changes beside an index',
        before: 'create table users (id bigint);',
        up: 'alter table users add column name text;\nalter table users add column email text;\ncreate index concurrently users_email on users (email);',
      },
    ],
    good: [
      {
        title: 'by itself',
        before: 'create table users (id bigint);',
        up: "set lock_timeout = '2s';\ncreate index concurrently users_id on users (id);",
      },
      {
        title: 'several of the kind',
        before: 'create table users (id bigint, email text);',
        up: 'create index concurrently users_id on users (id);\ncreate index concurrently users_email on users (email);',
      },
    ],
  },
  *check({ statements, script }) {
    if (script.statements.some(({ control }) => control !== null)) return
    const bare = statements.find(({ statement }) => statement.bare)?.statement
    const others = statements.filter(({ statement }) => !statement.bare && !harmless.test(statement.kind))
    if (!bare || others.length === 0) return
    const count = others.length === 1 ? 'The other statement' : `The other ${others.length} statements`
    yield {
      message: `${count} of this file would be all or nothing without "${bare.summary}".`,
      object: bare.tables[0] ?? bare.summary,
      range: { start: bare.start, end: bare.end },
    }
  },
}
