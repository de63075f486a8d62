/**
 * What can be known of relations from text alone: which ones the files make, and the types of their columns. A file is read together with
 * those before it, but only when a rule asks, since most never do.
 */
import type { Script, Statement } from '../sql/parse.ts'
import { dottedName, type Fields, fieldsOf, listOf, openNode, relationName, textOf } from '../sql/tree.ts'
import { typeText } from '../sql/type-text.ts'
import type { TextCatalog } from './rule.ts'

/** The catalog of a file; `earlier` answers the scripts before it, oldest first. */
export function textCatalog(script: Script, earlier: () => Iterable<Script>): TextCatalog {
  let made: ReadonlyMap<string, readonly number[]> | undefined
  let state: { readonly relations: Relations; next: number } | undefined
  /** The relations before a statement; rules ask from the first to the last, so each statement is followed once. */
  const before = (statement: number): Relations => {
    if (!state || state.next > statement) state = { relations: relationsOf(earlier()), next: 0 }
    for (; state.next < statement; state.next++) {
      const passed = script.statements[state.next]
      if (passed) follow(passed, state.relations)
    }
    return state.relations
  }
  return {
    madeHere(relation, statement) {
      made ??= makersIn(script)
      return made.get(plain(relation))?.some(maker => maker < statement) ?? false
    },
    knows: (relation, statement) => before(statement).has(plain(relation)),
    typeOf: (relation, column, statement) => before(statement).get(plain(relation))?.get(column) ?? null,
  }
}

/** `public` is where names without a schema go, unless a path says otherwise. */
function plain(relation: string): string {
  return relation.startsWith('public.') ? relation.slice('public.'.length) : relation
}

/** Which statements make a relation or an index of that name. */
function makersIn({ statements }: Script): ReadonlyMap<string, readonly number[]> {
  const makers = new Map<string, number[]>()
  for (const statement of statements)
    for (const name of namesMade(statement, makers)) makers.set(name, [...(makers.get(name) ?? []), statement.index])
  return makers
}

function namesMade({ tree }: Statement, sofar: ReadonlyMap<string, unknown>): string[] {
  const [kind, fields] = openNode(tree)
  const made = relationMade(kind, fields)
  if (made) return [made]
  if (kind === 'IndexStmt') {
    const { schemaname } = fieldsOf(fields, 'relation')
    return [plain(relationName({ schemaname, relname: fields['idxname'] }))]
  }
  if (kind === 'CreateSchemaStmt') {
    return listOf(fields, 'schemaElts').flatMap(node => {
      const [inner, own] = openNode(node)
      const name = relationMade(inner, own)
      return name ? [name.includes('.') ? name : plain(`${textOf(fields, 'schemaname')}.${name}`)] : []
    })
  }
  // What was made here and then renamed is still nobody's.
  const renamed = renaming(kind, fields)
  return renamed && sofar.has(renamed.from) ? [renamed.to] : []
}

function relationMade(kind: string, fields: Fields): string {
  if (kind === 'CreateStmt') return plain(relationName(fieldsOf(fields, 'relation')))
  if (kind === 'CreateForeignTableStmt') return plain(relationName(fieldsOf(fieldsOf(fields, 'base'), 'relation')))
  if (kind === 'CreateTableAsStmt') return plain(relationName(fieldsOf(fieldsOf(fields, 'into'), 'rel')))
  if (kind === 'SelectStmt') return plain(relationName(fieldsOf(fieldsOf(fields, 'intoClause'), 'rel')))
  if (kind === 'ViewStmt') return plain(relationName(fieldsOf(fields, 'view')))
  if (kind === 'CreateSeqStmt') return plain(relationName(fieldsOf(fields, 'sequence')))
  return ''
}

function renaming(kind: string, fields: Fields): { readonly from: string; readonly to: string } | null {
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

/** Columns with their types; a relation whose columns come from a query has none that are known. */
type Relations = Map<string, Map<string, string>>

function relationsOf(scripts: Iterable<Script>): Relations {
  const relations: Relations = new Map()
  for (const { statements } of scripts) for (const statement of statements) follow(statement, relations)
  return relations
}

function follow({ tree }: Statement, relations: Relations): void {
  const [kind, fields] = openNode(tree)
  const made = relationMade(kind, fields)
  if (made) relations.set(made, kind === 'CreateStmt' ? columnsOf(fields, relations) : new Map())
  const renamed = renaming(kind, fields)
  if (renamed) move(relations, renamed.from, renamed.to)
  if (kind === 'RenameStmt' && textOf(fields, 'renameType') === 'OBJECT_COLUMN') {
    const columns = relations.get(plain(relationName(fieldsOf(fields, 'relation'))))
    if (columns) move(columns, textOf(fields, 'subname'), textOf(fields, 'newname'))
  }
  if (kind === 'DropStmt' && /_(TABLE|VIEW|MATVIEW)$/.test(textOf(fields, 'removeType')))
    for (const name of listOf(fields, 'objects')) relations.delete(plain(dottedName(name)))
  if (kind === 'AlterTableStmt') alter(fields, relations)
}

function move<T>(map: Map<string, T>, from: string, to: string): void {
  const value = map.get(from)
  if (value === undefined) return
  map.delete(from)
  map.set(to, value)
}

function columnsOf(fields: Fields, relations: Relations): Map<string, string> {
  const columns = new Map<string, string>()
  const copy = (name: string) => {
    for (const [column, type] of relations.get(plain(name)) ?? []) columns.set(column, type)
  }
  for (const parent of listOf(fields, 'inhRelations')) copy(dottedName(parent))
  for (const node of listOf(fields, 'tableElts')) {
    const [kind, element] = openNode(node)
    if (kind === 'TableLikeClause') copy(relationName(fieldsOf(element, 'relation')))
    if (kind === 'ColumnDef') columns.set(textOf(element, 'colname'), typeText(element['typeName']))
  }
  return columns
}

function alter(fields: Fields, relations: Relations): void {
  const columns = relations.get(plain(relationName(fieldsOf(fields, 'relation'))))
  if (!columns) return
  for (const node of listOf(fields, 'cmds')) {
    const [, command] = openNode(node)
    const definition = fieldsOf(fieldsOf(command, 'def'), 'ColumnDef')
    const subtype = textOf(command, 'subtype')
    if (subtype === 'AT_AddColumn') columns.set(textOf(definition, 'colname'), typeText(definition['typeName']))
    if (subtype === 'AT_AlterColumnType') columns.set(textOf(command, 'name'), typeText(definition['typeName']))
    if (subtype === 'AT_DropColumn') columns.delete(textOf(command, 'name'))
  }
}
