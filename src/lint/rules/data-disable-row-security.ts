import { qualified, type Table } from '../../schema/model.ts'
import { alterations, targetOf } from '../alter.ts'
import { isSame, tableIn } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { inUse, isOpaque, opaqueKinds } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-disable-row-security',
  category: 'data-loss',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt', ...opaqueKinds],
  alters: ['DisableRowSecurity', 'NoForceRowSecurity'],
  title: 'Row security of a table is switched off',
  why: `From then on every role with \`select\` on the table reads the rows of all tenants. \`no force\` opens it for the owner of the table, whom
applications often use.`,
  instead: 'Change the policy that is in the way (`alter policy …`), and leave row security on.',
  examples: {
    bad: [
      {
        title: 'switched off',
        before:
          'create table users (id bigint, organization_id bigint);\nalter table users enable row level security;\nalter table users force row level security;',
        up: 'alter table users disable row level security;',
      },
      {
        title: 'not forced any more',
        before:
          'create table users (id bigint, organization_id bigint);\nalter table users enable row level security;\nalter table users force row level security;',
        up: 'alter table users no force row level security;',
      },
      {
        title: 'hidden in a block',
        before: 'create table users (id bigint, organization_id bigint);\nalter table users enable row level security;',
        up: "do $$ begin execute 'alter table users disable row level security'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'on again at the end',
        before: 'create table users (id bigint, organization_id bigint);\nalter table users enable row level security;',
        up: 'alter table users disable row level security;\nupdate users set organization_id = 1 where organization_id is null;\nalter table users enable row level security;',
      },
      {
        title: 'forced from now on',
        before: 'create table users (id bigint, organization_id bigint);\nalter table users enable row level security;',
        up: 'alter table users force row level security;',
      },
    ],
  },
  *check(view) {
    if (isOpaque(view)) {
      for (const { action, kind, name } of view.seen?.changes ?? []) {
        const lost = action === 'alter' && kind === 'table' ? lostBy(view, name) : null
        if (lost) yield { message: `Code that this runs leaves row security of ${name} ${lost}.`, object: name }
      }
      return
    }
    const table = inUse(view, targetOf(view))
    for (const { kind } of table === null ? [] : alterations(view)) {
      const words = kind === 'DisableRowSecurity' ? 'off' : kind === 'NoForceRowSecurity' ? 'not forced' : null
      if (table === null || words === null || comesBack(view, table, kind)) continue
      yield { message: `Row security of ${table} is ${words} from here on.`, object: table }
    }
  },
}

/** By the catalogs on both sides of the file. */
function lostBy({ file }: StatementView, name: string): 'off' | 'not forced' | null {
  const [before, after] = [tableIn(file.before, name), file.step?.after.tables.find(one => qualified(one) === name)]
  if (!before || !after) return null
  if (before.rowSecurity.enabled && !after.rowSecurity.enabled) return 'off'
  return before.rowSecurity.forced && !after.rowSecurity.forced ? 'not forced' : null
}

function comesBack({ file, statement }: StatementView, table: string, kind: string): boolean {
  const is = (model: Table | undefined) =>
    kind === 'DisableRowSecurity' ? model?.rowSecurity.enabled : model?.rowSecurity.forced
  if (file.before && is(tableIn(file.before, table)) === false) return true
  const opposite = kind === 'DisableRowSecurity' ? 'EnableRowSecurity' : 'ForceRowSecurity'
  return statementsOf(file, 'AlterTableStmt').some(
    later =>
      later.statement.index > statement.index &&
      isSame(table, targetOf(later)) &&
      alterations(later).some(one => one.kind === opposite),
  )
}
