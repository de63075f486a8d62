/** Statements about what all databases of a server share, and what stands for them on a scratch database. */
import type { Statement } from '../../sql/parse.ts'
import { type Fields, fieldsOf, listOf, openNode, quotedName, textOf, walk } from '../../sql/tree.ts'
import { dropOwnedHere, reassignOwnedHere } from './owned.ts'

/** Whether a statement is about a database by its name: its rights, settings, comment, owner, or itself. */
export function isOfDatabase({ tree }: Pick<Statement, 'tree'>): boolean {
  const [kind, fields] = openNode(tree)
  if (/^(?:AlterDatabase\w*|CreatedbStmt|DropdbStmt)$/.test(kind)) return true
  if (kind === 'AlterRoleSetStmt') return textOf(fields, 'database') !== ''
  return isAbout(fields, 'OBJECT_DATABASE')
}

/** Roles by the names that the statement says. */
export function rolesNamed(tree: unknown): string[] {
  const names: string[] = []
  const [kind, fields] = openNode(tree)
  if (kind === 'CreateRoleStmt') names.push(textOf(fields, 'role'))
  if (kind === 'RenameStmt' && isAbout(fields, 'OBJECT_ROLE')) names.push(...renamed(fields))
  if (isAbout(fields, 'OBJECT_ROLE')) names.push(textOf(fieldsOf(fieldsOf(fields, 'object'), 'String'), 'sval'))
  walk(tree, (inner, own) => {
    if (inner === 'RoleSpec') names.push(textOf(own, 'rolename'))
    if (kind === 'GrantRoleStmt' && inner === 'AccessPriv') names.push(textOf(own, 'priv_name'))
    for (const field of ['role', 'newrole']) names.push(textOf(fieldsOf(own, field), 'rolename'))
  })
  return [...new Set(names)].filter(Boolean)
}

/** Roles that the statement makes. */
export function rolesMade(tree: unknown): string[] {
  const [kind, fields] = openNode(tree)
  if (kind === 'CreateRoleStmt') return [textOf(fields, 'role')]
  return kind === 'RenameStmt' && isAbout(fields, 'OBJECT_ROLE') ? [textOf(fields, 'newname')] : []
}

/**
 * Null for a statement that may stay. The server and roles that it has are left as they are: whatever the history says of them was done long ago, and
 * somebody may have changed it since. The text stands for `own` without its lines; empty for nothing.
 */
export function insteadOf(tree: Statement['tree'], existing: ReadonlySet<string>): string | null {
  const [kind, fields] = openNode(tree)
  const isThere = (spec: Fields) => textOf(spec, 'rolename') === '' || existing.has(textOf(spec, 'rolename'))
  const specs = (list: string) => listOf(fields, list).map(one => openNode(one)[1])
  if (isOfDatabase({ tree }) || isOfServer(kind, fields)) return ''
  if (kind === 'CreateRoleStmt') return existing.has(textOf(fields, 'role')) ? '' : null
  if (kind === 'AlterRoleStmt' || kind === 'AlterRoleSetStmt') return isThere(fieldsOf(fields, 'role')) ? '' : null
  if (kind === 'RenameStmt' && isAbout(fields, 'OBJECT_ROLE'))
    return renamed(fields).some(name => existing.has(name)) ? '' : null
  if ((kind === 'CommentStmt' || kind === 'SecLabelStmt') && isAbout(fields, 'OBJECT_ROLE'))
    return rolesNamed(tree).every(name => existing.has(name)) ? '' : null
  if (kind === 'GrantRoleStmt') return rolesNamed(tree).every(name => existing.has(name)) ? '' : null
  const [there, gone] = [specs('roles').filter(isThere), specs('roles').filter(spec => !isThere(spec))]
  if (there.length === 0 || !/^(?:DropRoleStmt|DropOwnedStmt|ReassignOwnedStmt)$/.test(kind)) return null
  const others = gone.map(spec => quotedName([textOf(spec, 'rolename')])).join(', ')
  if (kind === 'DropRoleStmt') return others && `drop role if exists ${others}`
  const here = kind === 'DropOwnedStmt' ? dropOwnedHere(there) : reassignOwnedHere(there, fieldsOf(fields, 'newrole'))
  if (others === '') return here
  const rest =
    kind === 'DropOwnedStmt' ? `drop owned by ${others} cascade` : reassignOwnedHere(gone, fieldsOf(fields, 'newrole'))
  return `${rest}; ${here}`
}

/** Its configuration, and rights to what no database holds. */
function isOfServer(kind: string, fields: Fields): boolean {
  return kind === 'AlterSystemStmt' || isAbout(fields, 'OBJECT_PARAMETER_ACL') || isAbout(fields, 'OBJECT_TABLESPACE')
}

function isAbout(fields: Fields, type: string): boolean {
  return ['objtype', 'objectType', 'renameType'].some(name => fields[name] === type)
}

function renamed(fields: Fields): string[] {
  return [textOf(fields, 'subname'), textOf(fields, 'newname')]
}
