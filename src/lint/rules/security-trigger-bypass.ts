import { fieldsOf, listOf, openNode, relationName, textOf } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'

export const rule: StatementRule = {
  name: 'security-trigger-bypass',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt', 'VariableSetStmt', 'SelectStmt', 'DoStmt', 'CreateFunctionStmt'],
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
      {
        title: 'one trigger, for good',
        before: `create table notes (id bigint primary key);
create function stamp() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger notes_stamp before update on notes for each row execute function stamp();`,
        up: 'alter table notes disable trigger notes_stamp;',
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

function* disabled({ fields, statement, file }: StatementView) {
  const table = relationName(fieldsOf(fields, 'relation'))
  for (const node of listOf(fields, 'cmds')) {
    const [, command] = openNode(node)
    const subtype = textOf(command, 'subtype')
    const name = textOf(command, 'name')
    if (!/^AT_DisableTrig(All|User)?$/.test(subtype)) continue
    const later = file.script.statements.slice(statement.index + 1)
    const again = later.some(one => one.kind === 'AlterTableStmt' && enables(openNode(one.tree)[1], table, name))
    if (again && subtype !== 'AT_DisableTrigAll') continue
    const what = name
      ? `The trigger ${name}`
      : subtype === 'AT_DisableTrigAll'
        ? 'Every trigger, also of foreign keys,'
        : 'Every trigger'
    yield {
      object: name ? `${table}.${name}` : table,
      message: again
        ? `${what} of ${table} is off while rows are written, and nothing looks at them afterwards.`
        : `${what} of ${table} is switched off and stays so.`,
    }
  }
}

function enables(fields: Parameters<typeof fieldsOf>[0], table: string, name: string): boolean {
  if (relationName(fieldsOf(fields, 'relation')) !== table) return false
  return listOf(fields, 'cmds').some(node => {
    const [, command] = openNode(node)
    const subtype = textOf(command, 'subtype')
    return /^AT_Enable(Always|Replica)?Trig$/.test(subtype)
      ? textOf(command, 'name') === name
      : /^AT_EnableTrig(All|User)$/.test(subtype)
  })
}
