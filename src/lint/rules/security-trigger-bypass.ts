import { type Fields, fieldsOf, listOf, openNode, relationName, textOf } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'

export const rule: StatementRule = {
  name: 'security-trigger-bypass',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt', 'VariableSetStmt', 'SelectStmt', 'DoStmt', 'CreateFunctionStmt'],
  alters: ['DisableTrigAll'],
  title: 'Triggers are switched off',
  why: `Foreign keys, audit logs and rules on rows are triggers. With \`session_replication_role = replica\`, or \`disable trigger all\`, rows are written that no
foreign key has looked at; nothing looks at them afterwards, when the triggers are on again.`,
  instead:
    'Load the rows in an order that satisfies the keys, or drop the constraint and add it again, so that it is validated.',
  examples: {
    bad: [
      { title: 'for the session', up: 'set session_replication_role = replica;' },
      { title: 'by a function', up: "select set_config('session_replication_role', 'replica', true);" },
      {
        title: 'all triggers of a table, for a while',
        before: 'create table notes (id bigint primary key);',
        up: 'alter table notes disable trigger all; insert into notes values (1); alter table notes enable trigger all;',
      },
    ],
    good: [
      { title: 'as it was', up: 'set session_replication_role = origin; reset session_replication_role;' },
      {
        title: 'one trigger that is on again at the end',
        before: `create table notes (id bigint primary key);
create function stamp() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger notes_stamp before update on notes for each row execute function stamp();`,
        up: 'alter table notes disable trigger notes_stamp; update notes set id = id; alter table notes enable trigger notes_stamp;',
      },
    ],
  },
  *check(view) {
    if (view.statement.kind === 'AlterTableStmt') {
      yield* disabled(view)
      return
    }
    const code = view.statement.text.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ')
    if (!/\bsession_replication_role'*\s*(?:=|\bto\b|,)\s*'*replica\b/i.test(code)) return
    yield { message: 'The session writes without triggers, so foreign keys and audit logs are passed over.' }
  },
}

/** Triggers that stay off are another rule's; it is those of foreign keys that never look at the rows again. */
function* disabled({ fields, statement, file }: StatementView) {
  const table = relationName(fieldsOf(fields, 'relation'))
  if (!commandsOf(fields).includes('AT_DisableTrigAll')) return
  const later = file.script.statements.slice(statement.index + 1)
  if (!later.some(one => one.kind === 'AlterTableStmt' && enables(openNode(one.tree)[1], table))) return
  yield {
    object: table,
    message: `Every trigger, also of foreign keys, of ${table} is off while rows are written, and nothing looks at them afterwards.`,
  }
}

function enables(fields: Fields, table: string): boolean {
  return (
    relationName(fieldsOf(fields, 'relation')) === table &&
    commandsOf(fields).some(subtype => /^AT_EnableTrig(All|User)$/.test(subtype))
  )
}

function commandsOf(fields: Fields): readonly string[] {
  return listOf(fields, 'cmds').map(node => textOf(openNode(node)[1], 'subtype'))
}
