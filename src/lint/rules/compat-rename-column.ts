import { fieldsOf, relationName, textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, opaqueKinds, renamesSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-rename-column',
  category: 'compatibility',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['RenameStmt', ...opaqueKinds],
  title: 'A column is renamed under the feet of whoever uses it',
  why: `The version of the application that still runs names the old column, and the new version the new one: whichever is deployed second fails in
between. Views keep working; functions, which are text, do not.`,
  instead: `Add a column of the new name, keep both equal by a trigger, change the readers, and drop the old one in a later file.
\`plinth new --expand\` writes those files.`,
  examples: {
    bad: [
      {
        title: 'of a table in use',
        before: 'create table users (id bigint, name text);',
        up: 'alter table users rename column name to full_name;',
      },
      {
        title: 'hidden in a block',
        before: 'create table users (id bigint, name text);',
        up: "do $$ begin execute 'alter table users rename column name to full_name'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'of a table of the same file',
        up: 'create table users (id bigint, name text);\nalter table users rename column name to full_name;',
      },
    ],
  },
  *check(view) {
    for (const { name, newName } of renamesSeen(view, 'column'))
      yield {
        message: `Whoever reads or writes ${name} fails once code that this runs has named it ${newName}.`,
        object: name,
      }
    const { fields } = view
    if (!/^OBJECT_(COLUMN|ATTRIBUTE)$/.test(textOf(fields, 'renameType'))) return
    const table = inUse(view, relationName(fieldsOf(fields, 'relation')))
    const [old, next] = [textOf(fields, 'subname'), textOf(fields, 'newname')]
    if (table === null) return
    yield { message: `Whoever reads or writes ${old} of ${table} fails once it is ${next}.`, object: `${table}.${old}` }
  },
}
