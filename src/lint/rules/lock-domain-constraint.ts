import { qualified } from '../../schema/model.ts'
import { dottedName, fieldsOf, listOf, textOf } from '../../sql/tree.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { isTypeMadeHere, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-domain-constraint',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterDomainStmt'],
  title: 'A domain is constrained, and every table that uses it is read',
  why: `\`alter domain … add constraint\` and \`set not null\` try every row of every table with a column of that domain under a \`SHARE\` lock on
each: writes to all of them wait.`,
  instead: 'Add the constraint with `not valid`, and `alter domain … validate constraint …` in a later file.',
  examples: {
    bad: [
      {
        title: 'a check on a domain in use',
        before: 'create domain email as text;\ncreate table users (id bigint, address email);',
        up: "alter domain email add constraint email_at check (value like '%@%');",
      },
    ],
    good: [
      {
        title: 'not validated yet',
        before: 'create domain email as text;\ncreate table users (id bigint, address email);',
        up: "alter domain email add constraint email_at check (value like '%@%') not valid;",
      },
      {
        title: 'a domain of the same file',
        up: "create domain email as text;\nalter domain email add constraint email_at check (value like '%@%');",
      },
    ],
  },
  *check(view) {
    const { fields } = view
    const domain = listOf(fields, 'typeName').map(dottedName).join('.')
    const constrains = textOf(fields, 'subtype') === 'C' || textOf(fields, 'subtype') === 'O'
    const [constraint] = Object.values(fieldsOf(fields, 'def'))
    const notValid = (constraint as { skip_validation?: boolean } | undefined)?.skip_validation === true
    const users = usersOf(view, domain)
    if (!constrains || notValid || isTypeMadeHere(view, domain) || users?.length === 0) return
    yield {
      message: `Writes to ${users?.map(name => sized(view, name)).join(', ') ?? 'every table with a column of it'} wait while all values of ${domain} are tried.`,
      object: domain,
    }
  },
}

/** Null when nobody knows. */
function usersOf({ file, seen }: StatementView, domain: string): readonly string[] | null {
  if (seen) return seen.scans
  if (!file.before) return null
  const uses = (type: string) => isSame(type, domain) || isSame(`public.${type}`, domain)
  return file.before.tables.filter(table => table.columns.some(({ type }) => uses(type))).map(qualified)
}
