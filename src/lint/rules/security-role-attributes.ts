import { fieldsOf, listOf, openNode, textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'security-role-attributes',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['CreateRoleStmt', 'AlterRoleStmt'],
  title: 'A role goes past every check',
  why: `A superuser is asked for no right at all, and \`bypassrls\` switches row security off for everything that the role does. Both show the rows of
all tenants to whoever gets hold of its password.`,
  instead: `Leave the attribute out, and give the role what it needs: membership in \`pg_read_all_data\`, \`pg_monitor\` or a role of your own, and a policy
that names it.`,
  examples: {
    bad: [
      {
        title: 'past row security',
        up: 'begin; create role example_lint_export bypassrls; rollback;',
      },
      {
        title: 'a superuser',
        up: 'begin; create role example_lint_chief; alter role example_lint_chief superuser; rollback;',
      },
    ],
    good: [
      {
        title: 'explicitly not',
        up: 'begin; create role example_lint_import nosuperuser nobypassrls; rollback;',
      },
      {
        title: 'with the rights that it needs',
        up: 'begin; create role example_lint_count; grant pg_monitor to example_lint_count; rollback;',
      },
    ],
  },
  *check({ statement, fields }) {
    const role = textOf(fields, 'role') || textOf(fieldsOf(fields, 'role'), 'rolename')
    for (const node of listOf(fields, 'options')) {
      const [, option] = openNode(node)
      const name = textOf(option, 'defname')
      if (!/^(superuser|bypassrls)$/.test(name) || fieldsOf(fieldsOf(option, 'arg'), 'Boolean')['boolval'] !== true)
        continue
      const does = name === 'superuser' ? 'may do everything' : 'goes past row security'
      yield {
        object: role,
        message: `The role ${role} ${does}, since this ${statement.kind === 'CreateRoleStmt' ? 'makes' : 'turns'} it ${name}.`,
      }
    }
  },
}
