import { textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { dropped, dropsSeen, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-drop-schema',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['DropStmt'],
  title: 'A schema is dropped with everything in it',
  why: `\`drop schema … cascade\` drops every table, view, function and type of the schema, and what depends on them in other schemas. An apply
moves the tables into the archive first; whoever runs the SQL by other means has nothing.`,
  instead:
    'Drop what is in the schema one by one, then the schema without `cascade`, which fails when something was forgotten.',
  examples: {
    bad: [
      {
        title: 'with cascade',
        before: 'create schema shop;\ncreate table shop.orders (id bigint);',
        up: 'drop schema shop cascade;',
      },
    ],
    good: [
      {
        title: 'an empty one',
        before: 'create schema shop;',
        up: 'drop schema shop;',
      },
    ],
  },
  *check(view) {
    if (textOf(view.fields, 'behavior') !== 'DROP_CASCADE') return
    const tables = dropsSeen(view, 'table').map(({ name }) => name)
    const schemas = dropped(view, 'SCHEMA')
    for (const schema of schemas) {
      const own = tables.filter(name => name.startsWith(`${schema}.`)).map(name => sized(view, name))
      if (view.seen && !view.seen.changes.some(({ action }) => action === 'drop')) continue
      yield {
        message:
          own.length > 0
            ? `Schema ${schema} is dropped with ${own.join(', ')} and everything else in it.`
            : `Schema ${schema} is dropped with everything in it.`,
        object: schema,
      }
    }
  },
}
