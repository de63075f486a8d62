import { textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { isTypeMadeHere } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-rename-schema',
  category: 'compatibility',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['RenameStmt'],
  title: 'A schema is renamed under the feet of whoever uses it',
  why: `Every qualified name of the schema fails at once, in applications, functions and search paths alike. Nothing can stand in for a schema.`,
  instead:
    'Make the new schema, move the tables one by one with views of the old names behind them, and drop the old schema at the end.',
  examples: {
    bad: [{ title: 'a schema in use', before: 'create schema shop;', up: 'alter schema shop rename to store;' }],
    good: [{ title: 'made in the same file', up: 'create schema shop;\nalter schema shop rename to store;' }],
  },
  *check(view) {
    const schema = textOf(view.fields, 'subname')
    if (textOf(view.fields, 'renameType') !== 'OBJECT_SCHEMA' || isTypeMadeHere(view, schema)) return
    yield {
      message: `Every name that begins with ${schema}. fails once the schema is ${textOf(view.fields, 'newname')}.`,
      object: schema,
    }
  },
}
