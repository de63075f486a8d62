import { dottedName, listOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { isTypeMadeHere, opaqueKinds, renamesSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-rename-enum-value',
  category: 'compatibility',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterEnumStmt', ...opaqueKinds],
  title: 'A value of an enum is renamed under the feet of whoever uses it',
  why: `Rows change at once, and the version of the application that still runs fails: it writes a value that is not there any more, and reads one
that it does not know. Functions that compare with the old text fail when they run.`,
  instead: 'Add the new value, change readers and writers, move the rows in batches, and leave the old value unused.',
  examples: {
    bad: [
      {
        title: 'of a type in use',
        before: "create type mood as enum ('good', 'bad');",
        up: "alter type mood rename value 'bad' to 'poor';",
      },
    ],
    good: [
      {
        title: 'a value more',
        before: "create type mood as enum ('good', 'bad');",
        up: "alter type mood add value 'poor';",
      },
      {
        title: 'made in the same file',
        up: "create type mood as enum ('good', 'bad');\nalter type mood rename value 'bad' to 'poor';",
      },
    ],
  },
  *check(view) {
    for (const { of } of renamesSeen(view, 'enum value'))
      yield {
        message: `Whoever writes or compares the old value of ${of} fails once it has another name.`,
        object: of ?? '',
      }
    const type = listOf(view.fields, 'typeName').map(dottedName).join('.')
    if (view.fields['oldVal'] === undefined || isTypeMadeHere(view, type)) return
    yield {
      message: `Whoever writes or compares the old value of ${type} fails once it has another name.`,
      object: type,
    }
  },
}
