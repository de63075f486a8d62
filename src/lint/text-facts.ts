/** What a text does to the relations that are known from text alone, as plain data: it can be told to whoever reads the texts behind it. */
import type { Script, Statement } from '../sql/parse.ts'
import { dottedName, type Fields, fieldsOf, listOf, openNode, relationName, textOf } from '../sql/tree.ts'
import { typeText } from '../sql/type-text.ts'

export type Fact =
  | { readonly does: 'make'; readonly relation: string; readonly parts: readonly Part[] }
  | { readonly does: 'rename'; readonly relation: string; readonly to: string }
  | { readonly does: 'drop'; readonly relation: string }
  | { readonly does: 'alter'; readonly relation: string; readonly changes: readonly Change[] }

/** A column, or the columns of another relation. */
type Part = readonly [column: string, type: string] | { readonly like: string }

export type Change =
  | { readonly column: string; readonly type: string | null }
  | { readonly column: string; readonly to: string }

/** Columns with their types; a relation whose columns come from a query has none that are known. */
export type Columns = ReadonlyMap<string, string>

/** Answers the columns of a relation as they are at that point; undefined where nobody made it. */
export type FindColumns = (relation: string) => Columns | undefined

export function factsOf({ statements }: Script): Fact[] {
  return statements.flatMap(factsOfStatement)
}

export function factsOfStatement({ tree }: Statement): Fact[] {
  const [kind, fields] = openNode(tree)
  const made = relationMade(kind, fields) || indexMade(kind, fields)
  if (made) return [{ does: 'make', relation: made, parts: kind === 'CreateStmt' ? partsOf(fields) : [] }]
  const renamed = renaming(kind, fields)
  if (renamed) return [{ does: 'rename', relation: renamed.from, to: renamed.to }]
  if (kind === 'RenameStmt' && textOf(fields, 'renameType') === 'OBJECT_COLUMN') {
    const change = { column: textOf(fields, 'subname'), to: textOf(fields, 'newname') }
    return [{ does: 'alter', relation: plain(relationName(fieldsOf(fields, 'relation'))), changes: [change] }]
  }
  if (kind === 'DropStmt' && /_(TABLE|VIEW|MATVIEW|INDEX)$/.test(textOf(fields, 'removeType')))
    return listOf(fields, 'objects').map(name => ({ does: 'drop', relation: plain(dottedName(name)) }))
  if (kind === 'AlterTableStmt') return alteration(fields)
  return []
}

/** What the relations that a fact is about look like behind it; null for one that is gone. */
export function applyFact(fact: Fact, find: FindColumns): readonly (readonly [relation: string, Columns | null])[] {
  if (fact.does === 'make') return [[fact.relation, columnsOf(fact.parts, find)]]
  const columns = find(fact.relation)
  if (!columns) return []
  if (fact.does === 'drop') return [[fact.relation, null]]
  if (fact.does === 'rename') {
    return [
      [fact.relation, null],
      [fact.to, columns],
    ]
  }
  const changed = new Map(columns)
  for (const change of fact.changes) alter(changed, change)
  return [[fact.relation, changed]]
}

/** `public` is where names without a schema go, unless a path says otherwise. */
export function plain(relation: string): string {
  return relation.startsWith('public.') ? relation.slice('public.'.length) : relation
}

/** The relation that a statement makes; empty for none. */
export function relationMade(kind: string, fields: Fields): string {
  if (kind === 'CreateStmt') return plain(relationName(fieldsOf(fields, 'relation')))
  if (kind === 'CreateForeignTableStmt') return plain(relationName(fieldsOf(fieldsOf(fields, 'base'), 'relation')))
  if (kind === 'CreateTableAsStmt') return plain(relationName(fieldsOf(fieldsOf(fields, 'into'), 'rel')))
  if (kind === 'SelectStmt') return plain(relationName(fieldsOf(fieldsOf(fields, 'intoClause'), 'rel')))
  if (kind === 'ViewStmt') return plain(relationName(fieldsOf(fields, 'view')))
  if (kind === 'CreateSeqStmt') return plain(relationName(fieldsOf(fields, 'sequence')))
  return ''
}

/** The index that a statement makes, in the schema of its table; empty for none, and for one without a name. */
export function indexMade(kind: string, fields: Fields): string {
  const { schemaname } = fieldsOf(fields, 'relation')
  const relname = textOf(fields, 'idxname')
  return kind === 'IndexStmt' && relname ? plain(relationName({ schemaname, relname })) : ''
}

/** A relation that gets another name or schema. */
export function renaming(kind: string, fields: Fields): { readonly from: string; readonly to: string } | null {
  if (kind === 'AlterObjectSchemaStmt') {
    const { relname } = fieldsOf(fields, 'relation')
    const from = plain(relationName(fieldsOf(fields, 'relation')))
    return from ? { from, to: plain(relationName({ schemaname: fields['newschema'], relname })) } : null
  }
  if (kind !== 'RenameStmt' || !/_(TABLE|VIEW|MATVIEW|INDEX|SEQUENCE)$/.test(textOf(fields, 'renameType'))) return null
  const { schemaname } = fieldsOf(fields, 'relation')
  return {
    from: plain(relationName(fieldsOf(fields, 'relation'))),
    to: plain(relationName({ schemaname, relname: fields['newname'] })),
  }
}

function partsOf(fields: Fields): Part[] {
  const parents = listOf(fields, 'inhRelations').map((parent): Part => ({ like: plain(dottedName(parent)) }))
  const elements = listOf(fields, 'tableElts').flatMap((node): Part[] => {
    const [kind, element] = openNode(node)
    if (kind === 'TableLikeClause') return [{ like: plain(relationName(fieldsOf(element, 'relation'))) }]
    return kind === 'ColumnDef' ? [[textOf(element, 'colname'), typeText(element['typeName'])]] : []
  })
  return [...parents, ...elements]
}

function columnsOf(parts: readonly Part[], find: FindColumns): Columns {
  const columns = new Map<string, string>()
  for (const part of parts) {
    if ('like' in part) for (const [column, type] of find(part.like) ?? []) columns.set(column, type)
    else columns.set(...(part as [string, string]))
  }
  return columns
}

function alteration(fields: Fields): Fact[] {
  const changes = listOf(fields, 'cmds').flatMap((node): Change[] => {
    const [, command] = openNode(node)
    const definition = fieldsOf(fieldsOf(command, 'def'), 'ColumnDef')
    const subtype = textOf(command, 'subtype')
    if (subtype === 'AT_AddColumn')
      return [{ column: textOf(definition, 'colname'), type: typeText(definition['typeName']) }]
    if (subtype === 'AT_AlterColumnType')
      return [{ column: textOf(command, 'name'), type: typeText(definition['typeName']) }]
    return subtype === 'AT_DropColumn' ? [{ column: textOf(command, 'name'), type: null }] : []
  })
  const relation = plain(relationName(fieldsOf(fields, 'relation')))
  return changes.length === 0 ? [] : [{ does: 'alter', relation, changes }]
}

function alter(columns: Map<string, string>, change: Change): void {
  if ('to' in change) {
    const type = columns.get(change.column)
    if (type === undefined) return
    columns.delete(change.column)
    columns.set(change.to, type)
  } else if (change.type === null) columns.delete(change.column)
  else columns.set(change.column, change.type)
}
