/** Which role a statement names that the server does not have, in whatever language the server says so. */
import type { Session } from '../../engines/engine.ts'
import type { PlinthError } from '../../errors.ts'
import { type Fields, fieldsOf, listOf, openNode, textOf, walk } from '../../sql/tree.ts'

/** Null for any other failure. `trees` are the statements of which one failed; without them only what the message says counts. */
export async function missingRole(
  session: Session,
  { sqlState, message }: PlinthError,
  trees: readonly unknown[],
): Promise<string | null> {
  // An object is not known: types, languages and others have the same state.
  if (sqlState !== '42704') return null
  // Code of a block or a function names roles that no tree shows.
  const said = /role "(.+)" does not exist/i.exec(message)?.[1]
  if (said !== undefined) return said
  const named = [...new Set(trees.flatMap(rolesIn))]
  if (named.length === 0) return null
  const { rows } = await session.query<{ name: string }>(
    `select name from unnest($1::text[]) with ordinality named (name, place)
    where not exists (select from pg_catalog.pg_roles r where r.rolname = named.name)
    order by place
    limit 1`,
    [named],
  )
  return rows[0]?.name ?? null
}

/** Roles by name, in the order of the text; those that say who is connected have none. */
function rolesIn(tree: unknown): string[] {
  const found: string[] = []
  const note = (name: string): void => {
    if (name !== '') found.push(name)
  }
  walk(tree, (kind, fields) => {
    if (kind === 'RoleSpec') note(textOf(fields, 'rolename'))
    else for (const field of Object.keys(fields)) note(roleOf(fieldsOf(fields, field)))
    if (kind === 'VariableSetStmt' && /^(?:role|session_authorization)$/.test(textOf(fields, 'name')))
      for (const one of listOf(fields, 'args')) note(textOf(fieldsOf(openNode(one)[1], 'sval'), 'sval'))
  })
  return found
}

/** A field whose kind is plain from its name is no node of its own. */
function roleOf(fields: Fields): string {
  return 'roletype' in fields ? textOf(fields, 'rolename') : ''
}
