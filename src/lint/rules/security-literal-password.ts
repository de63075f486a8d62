import { byteIndex } from '../../sql/positions.ts'
import { type Fields, fieldsOf, openNode, textOf, walk } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { literalAfter } from '../subjects/secrets.ts'

export const rule: StatementRule = {
  name: 'security-literal-password',
  category: 'security',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: [
    'AlterRoleStmt',
    'AlterSubscriptionStmt',
    'AlterUserMappingStmt',
    'CreateForeignServerStmt',
    'CreateFunctionStmt',
    'CreateRoleStmt',
    'CreateSubscriptionStmt',
    'CreateUserMappingStmt',
    'DoStmt',
  ],
  hidden: true,
  directions: ['up', 'down'],
  title: 'A password stands in the migration',
  why: `A migration is read by everybody who can read the repository, for ever. The statement with the password also goes through the server's log,
\`pg_stat_activity\` and every proxy on the way.`,
  instead: `Make the role without a password (\`nologin\` for a group), and set the password where secrets are kept: with \`\\password\`, which sends a
SCRAM verifier, or by the tool that manages your servers.`,
  examples: {
    bad: [
      {
        title: 'a new role',
        up: "begin; create role example_lint_reporter login password 'correct-horse'; rollback;",
      },
      {
        title: 'in a block of code',
        up: `do $$ begin
  create role example_lint_writer login password 'correct-horse';
  drop role example_lint_writer;
end $$;`,
      },
    ],
    good: [
      {
        title: 'without a password',
        up: 'begin; create role example_lint_reader nologin; rollback;',
      },
      {
        title: 'a password that is taken away',
        up: 'begin; create role example_lint_guest login password null; rollback;',
      },
      {
        title: 'given from outside',
        up: `do $$ begin
  if current_setting('deploy.password', true) is not null then
    execute format('create role example_lint_late login password %L', current_setting('deploy.password'));
  end if;
end $$;`,
      },
    ],
  },
  *check(view) {
    for (const at of [...passwordsWritten(view), ...passwordsInCode(view)]) {
      const range = literalAfter(view.file.script.text, at)
      yield {
        message: 'A password is written in the migration.',
        hint: 'Remove it, and change the password: whoever read the repository knows it.',
        ...(range && range.end <= view.statement.end ? { range } : {}),
      }
    }
  },
}

/** Where the option stands, as the parser tells. */
function passwordsWritten({ statement, file }: StatementView): readonly number[] {
  if (!/^(Create|Alter)(Role|UserMapping|Subscription)Stmt$|^CreateForeignServerStmt$/.test(statement.kind)) return []
  const found: number[] = []
  const index = byteIndex(file.script.body)
  walk(statement.tree, (kind, fields) => {
    if (kind !== 'DefElem' || !/^(password|passwd)$/i.test(textOf(fields, 'defname'))) return
    const value = valueOf(fields)
    if (value !== '' && !value.startsWith('SCRAM-SHA-256$')) found.push(index(Number(fields['location'] ?? 0)))
  })
  const [, fields] = openNode(statement.tree)
  if (/\bpassword\s*=\s*[^\s'"]/i.test(textOf(fields, 'conninfo'))) found.push(statement.start)
  return found
}

function valueOf(fields: Fields): string {
  return textOf(fieldsOf(fieldsOf(fields, 'arg'), 'String'), 'sval')
}

/** Text that code will run, where quotes may be doubled. */
function passwordsInCode({ statement }: StatementView): readonly number[] {
  if (!/^(Do|CreateFunction)Stmt$/.test(statement.kind)) return []
  const form = /\b(?:create|alter)\s+(?:role|user)\b[^;]*?\bpassword\s+(?='{1,4}(?!SCRAM-SHA-256)[^'%\s])/gi
  return [...statement.text.matchAll(form)].map(match => statement.start + match.index + match[0].length)
}
