import { isSame } from '../catalog.ts'
import { targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { dropped, inUse, isOpaque, lossesSeen, opaqueKinds } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-drop-policy',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['DropStmt', ...opaqueKinds],
  title: 'A row security policy is dropped, and none takes its place',
  why: `When a permissive policy goes, its rows vanish for those whom it let in; when a restrictive one goes, rows appear for those whom it kept
out. Neither fails, so nobody hears of it.`,
  instead: 'Change it with `alter policy`, or create the one that takes its place in the same file.',
  examples: {
    bad: [
      {
        title: 'without another',
        before:
          'create table users (id bigint, organization_id bigint);\nalter table users enable row level security;\ncreate policy own on users using (organization_id = 1);',
        up: 'drop policy own on users;',
      },
    ],
    good: [
      {
        title: 'changed for another',
        before:
          'create table users (id bigint, organization_id bigint);\nalter table users enable row level security;\ncreate policy own on users using (organization_id = 1);',
        up: 'drop policy own on users;\ncreate policy own on users using (organization_id = 2) with check (organization_id = 2);',
      },
    ],
  },
  *check(view) {
    if (isOpaque(view)) {
      const tables = lossesSeen(view, 'table').map(({ name }) => name)
      for (const { name, of } of lossesSeen(view, 'policy'))
        if (of === null || !tables.includes(of))
          yield { message: `Code that this runs drops policy ${name}, and nothing takes its place.`, object: name }
      return
    }
    for (const written of dropped(view, 'POLICY')) {
      const [policy, table] = [written.replace(/^.*\./, ''), inUse(view, written.replace(/\.[^.]*$/, ''))]
      if (table === null || isReplaced(view, table)) continue
      yield { message: `Policy ${policy} of ${table} goes, and nothing takes its place.`, object: `${table}.${policy}` }
    }
  },
}

function isReplaced({ file }: StatementView, table: string): boolean {
  return file.statements.some(other => other.statement.kind === 'CreatePolicyStmt' && isSame(table, targetOf(other)))
}
