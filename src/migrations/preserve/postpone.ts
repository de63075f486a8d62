/** A column that comes back `not null` has no values yet: it is added without the constraint, restored, and then constrained. */
import type { Statement } from '../../sql/parse.ts'
import { dottedName, type Fields, fieldsOf, listOf, openNode, quotedRelation, textOf } from '../../sql/tree.ts'
import { columnList, ident } from './text.ts'

export interface Postponed {
  /** The statement as it runs now, of the same length, so that positions hold; empty when all of it waits. */
  readonly text: string
  /** What runs after the rows are back. */
  readonly later: readonly string[]
}

/** Tables that the statement adds columns to or constrains, quoted and as far qualified as written; null when there is nothing to wait for. */
export function constrains(statement: Statement): string | null {
  const [kind, fields] = openNode(statement.tree)
  if (kind !== 'AlterTableStmt' || textOf(fields, 'objtype') !== 'OBJECT_TABLE') return null
  const some = commandsOf(statement).some(
    ({ subtype, command }) =>
      subtype === 'AT_SetNotNull' ||
      primaryKeyOf(command) !== null ||
      (subtype === 'AT_AddColumn' && notNullOf(command) !== null),
  )
  return some ? quotedRelation(fieldsOf(fields, 'relation')) : null
}

/** `columns` are those of that table that will be restored. Null when the statement concerns none of them. */
export function postpone(statement: Statement, table: string, columns: ReadonlySet<string>): Postponed | null {
  const commands = commandsOf(statement)
  const later: string[] = []
  let text = statement.text
  const waits = ({ subtype, command }: (typeof commands)[number]) =>
    (subtype === 'AT_SetNotNull' && columns.has(textOf(command, 'name'))) ||
    (primaryKeyOf(command)?.columns.some(name => columns.has(name)) ?? false)
  for (const { subtype, command } of commands) {
    const key = primaryKeyOf(command)
    if (key?.columns.some(name => columns.has(name)) && commands.every(waits)) {
      const name = key.name === '' ? '' : `constraint ${ident(key.name)} `
      later.push(`alter table ${table} add ${name}primary key (${columnList(key.columns)})`)
    }
    const definition = fieldsOf(fieldsOf(command, 'def'), 'ColumnDef')
    const name = subtype === 'AT_SetNotNull' ? textOf(command, 'name') : textOf(definition, 'colname')
    if (!columns.has(name)) continue
    const constraint = subtype === 'AT_AddColumn' ? notNullOf(command) : null
    if (subtype !== 'AT_SetNotNull' && constraint === null) continue
    later.push(`alter table ${table} alter column ${ident(name)} set not null`)
    if (constraint !== null) text = withoutNotNull(text)
  }
  if (later.length === 0) return null
  const allWait = commands.every(waits)
  return { text: allWait ? '' : text, later }
}

/** `add primary key` as a table's constraint, which needs the values of its columns at once. */
function primaryKeyOf(command: Fields): { readonly name: string; readonly columns: readonly string[] } | null {
  const constraint = fieldsOf(fieldsOf(command, 'def'), 'Constraint')
  if (textOf(constraint, 'contype') !== 'CONSTR_PRIMARY' || textOf(constraint, 'indexname') !== '') return null
  return { name: textOf(constraint, 'conname'), columns: listOf(constraint, 'keys').map(dottedName) }
}

function commandsOf(statement: Statement) {
  return listOf(openNode(statement.tree)[1], 'cmds').map(node => {
    const [, command] = openNode(node)
    return { subtype: textOf(command, 'subtype'), command }
  })
}

/** A constraint with a default fills itself, so it need not wait; a primary key is none of these. */
function notNullOf(command: ReturnType<typeof openNode>[1]): object | null {
  const constraints = listOf(fieldsOf(fieldsOf(command, 'def'), 'ColumnDef'), 'constraints').map(
    node => openNode(node)[1],
  )
  const has = (type: string) => constraints.some(constraint => textOf(constraint, 'contype') === type)
  if (has('CONSTR_DEFAULT') || has('CONSTR_IDENTITY') || has('CONSTR_GENERATED')) return null
  return constraints.find(constraint => textOf(constraint, 'contype') === 'CONSTR_NOTNULL') ?? null
}

/** Blanks the words, outside of quotes and comments. */
function withoutNotNull(text: string): string {
  const pieces = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|(\bnot\s+null\b)/gi
  return text.replace(pieces, (whole, words?: string) => (words === undefined ? whole : whole.replace(/[^\r\n]/g, ' ')))
}
