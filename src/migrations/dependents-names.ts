/** Names in a migration, read from the parser's tree, so that comments do not count and quoting does not matter. */
import type { Script, Statement } from '../sql/parse.ts'
import { fieldsOf, listOf, openNode, relationName, textOf } from '../sql/tree.ts'
import type { Dropped } from './dependents-catalog.ts'

/** What a script makes, changes, drops or writes, as written: tables, views, types, functions, schemas, sequences, indexes. */
export function objectsOf(script: Script): string[] {
  return [...new Set(script.statements.flatMap(statement => [...statement.tables, ...ofTree(statement.tree)]))].sort()
}

/**
 * The objects that a script has anything to do with: those it touches, and those whose last name it holds anywhere, in an expression, a
 * string or the body of a function. `touched` are the tables that were seen to change when it ran.
 */
export function namesIn(script: Script, touched: readonly string[], objects: ReadonlySet<string>): string[] {
  const words = wordsOf(script)
  for (const table of touched) words.add(lastPart(table))
  return [...objects].filter(object => words.has(lastPart(object))).sort()
}

/** Every word of a script that may be a name. */
export function wordsOf(script: Script): Set<string> {
  const words = new Set<string>()
  const add = (text: string) => {
    words.add(text)
    for (const word of text.match(/[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []) {
      words.add(word)
      words.add(word.toLowerCase())
    }
  }
  for (const { tree, text } of script.statements) {
    if (tree === null) add(withoutComments(text))
    else walkTexts(tree, add)
  }
  return words
}

/** What a statement of a down file drops, so that the catalog can say what hangs on it. */
export function droppedBy({ tree }: Statement): Dropped[] {
  const [kind, fields] = openNode(tree)
  if (kind === 'DropStmt') {
    const type = textOf(fields, 'removeType').replace('OBJECT_', '')
    return listOf(fields, 'objects').map(node => ({ type, name: partsOf(node), column: null }))
  }
  if (kind !== 'AlterTableStmt') return []
  const relation = fieldsOf(fields, 'relation')
  const name = [textOf(relation, 'schemaname'), textOf(relation, 'relname')].filter(Boolean)
  return listOf(fields, 'cmds').flatMap(node => {
    const [, command] = openNode(node)
    if (textOf(command, 'subtype') !== 'AT_DropColumn') return []
    return [{ type: 'COLUMN', name, column: textOf(command, 'name') }]
  })
}

function ofTree(tree: unknown): string[] {
  const [kind, fields] = openNode(tree)
  if (kind === '') return []
  const relations = ['relation', 'view', 'sequence', 'typevar', 'table'].map(key => relationName(fieldsOf(fields, key)))
  const lists = ['funcname', 'typeName', 'domainname', 'defnames'].map(key => nameOf(listOf(fields, key)))
  const own: Readonly<Record<string, string>> = { CreateSchemaStmt: 'schemaname', CreateRoleStmt: 'role' }
  const texts = own[kind] === undefined ? ['idxname', 'extname', 'newname'] : [own[kind]]
  const dropped = kind === 'DropStmt' ? listOf(fields, 'objects').map(node => partsOf(node).join('.')) : []
  return [...relations, ...lists, ...texts.map(key => textOf(fields, key)), ...dropped].filter(Boolean)
}

function nameOf(list: readonly unknown[]): string {
  return list.flatMap(partsOf).join('.')
}

/** The parts of a name, whatever node holds it. */
function partsOf(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(partsOf)
  const [kind, fields] = openNode(node)
  if (kind === 'String') return [textOf(fields, 'sval')]
  if (kind === 'List') return partsOf(fields['items'])
  if (kind === 'TypeName') return partsOf(fields['names'])
  if (kind === 'ObjectWithArgs') return partsOf(fields['objname'])
  return []
}

/** Every text of a tree: identifiers, strings and bodies alike. */
function walkTexts(node: unknown, visit: (text: string) => void): void {
  if (typeof node === 'string') visit(node)
  else if (Array.isArray(node)) for (const item of node) walkTexts(item, visit)
  else if (typeof node === 'object' && node !== null) for (const value of Object.values(node)) walkTexts(value, visit)
}

function withoutComments(text: string): string {
  return text.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, ' ')
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}
