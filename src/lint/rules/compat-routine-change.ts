import { dottedName, listOf, textOf } from '../../sql/tree.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { isOpaque, lossesSeen, opaqueKinds } from '../use.ts'

const types = /^OBJECT_(FUNCTION|PROCEDURE|ROUTINE|AGGREGATE)$/

export const rule: StatementRule = {
  name: 'compat-routine-change',
  category: 'compatibility',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['DropStmt', 'RenameStmt', ...opaqueKinds],
  title: 'A function goes, or is only there with other arguments',
  why: `Callers that run meanwhile fail: the application, triggers, and other functions, whose bodies are text that PostgreSQL does not check when
the function goes.`,
  instead:
    'Create the new function beside the old one (another name or other arguments), change the callers, and drop the old one in a later file.',
  examples: {
    bad: [
      {
        title: 'dropped',
        before: "create function price(id bigint) returns numeric language sql as 'select 1.0';",
        up: 'drop function price(bigint);',
      },
      {
        title: 'made anew with other arguments',
        before: "create function price(id bigint) returns numeric language sql as 'select 1.0';",
        up: "drop function price(bigint);\ncreate function price(id bigint, day date) returns numeric language sql as 'select 1.0';",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'made anew with the same arguments',
        before: "create function price(id bigint) returns numeric language sql as 'select 1.0';",
        up: "drop function price(bigint);\ncreate function price(id bigint) returns numeric language sql as 'select 2.0';",
      },
      {
        title: 'replaced',
        before: "create function price(id bigint) returns numeric language sql as 'select 1.0';",
        up: "create or replace function price(id bigint) returns numeric language sql as 'select 2.0';",
      },
    ],
  },
  *check(view) {
    const type = textOf(view.fields, 'removeType') || textOf(view.fields, 'renameType')
    if (!isOpaque(view) && !types.test(type)) return
    const gone = view.seen
      ? lossesSeen(view, 'routine').map(({ name }) => name)
      : namesOf(view).filter(name => !isMadeElsewhere(view, name))
    for (const name of gone)
      yield {
        message: `Whoever calls ${name} fails: this file leaves nothing of that name and arguments.`,
        object: name,
      }
  },
}

function namesOf({ fields, statement }: StatementView): readonly string[] {
  if (statement.kind === 'DropStmt') return listOf(fields, 'objects').map(dottedName)
  return statement.kind === 'RenameStmt' ? [dottedName(fields['object'])] : []
}

/** Without a rehearsal arguments are not compared, so that a name is enough. */
function isMadeElsewhere({ file }: StatementView, written: string): boolean {
  return file.statements.some(({ statement, fields }) => {
    if (statement.kind !== 'CreateFunctionStmt') return false
    const name = listOf(fields, 'funcname').map(dottedName).join('.')
    return isSame(name, written) || isSame(written, name)
  })
}
