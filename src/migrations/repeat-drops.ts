/** What a repeatable made, as statements that drop it. Only what holds no rows of its own; of the rest nobody but its author knows what to do. */
import type { Script, Statement } from '../sql/parse.ts'
import { type Fields, fieldsOf, listOf, openNode, quotedName, quotedRelation, textOf } from '../sql/tree.ts'

export interface Drops {
  /** The last made first; empty where nothing can be dropped. */
  readonly sql: string
  /** False where it did something else as well. */
  readonly isWhole: boolean
}

export function dropsOf({ statements }: Script): Drops {
  const read = statements.map(statement => ({ statement, drop: dropOf(statement.tree) }))
  const drops = [...new Set(read.flatMap(({ drop }) => drop ?? []))].toReversed()
  // Names are looked up as they were when they were made.
  const settings = statements.filter(({ setsSession }) => setsSession).map(({ text }) => text)
  return {
    sql: drops.length === 0 ? '' : [...settings, ...drops].map(text => `${text.replace(/;\s*$/, '')};\n`).join(''),
    isWhole: read.every(({ statement, drop }) => drop !== null || goesAlong(statement)),
  }
}

/** What is dropped with its object, or was dropped only to be made again. */
function goesAlong({ tree, setsSession }: Statement): boolean {
  return setsSession || /^(?:CommentStmt|DropStmt|RefreshMatViewStmt|IndexStmt)$/.test(openNode(tree)[0])
}

function dropOf(tree: unknown): string | null {
  const [kind, fields] = openNode(tree)
  const make = drops[kind]
  return make ? make(fields) : null
}

const drops: Readonly<Record<string, (fields: Fields) => string | null>> = {
  ViewStmt: fields => `drop view if exists ${quotedRelation(fieldsOf(fields, 'view'))}`,
  CreateTableAsStmt: fields =>
    textOf(fields, 'objtype') === 'OBJECT_MATVIEW'
      ? `drop materialized view if exists ${quotedRelation(fieldsOf(fieldsOf(fields, 'into'), 'rel'))}`
      : null,
  CreateFunctionStmt: fields =>
    `drop routine if exists ${quotedName(stringsOf(listOf(fields, 'funcname')))}${argumentsOf(fields)}`,
  CreateTrigStmt: fields => dropOn('trigger', textOf(fields, 'trigname'), fieldsOf(fields, 'relation')),
  CreatePolicyStmt: fields => dropOn('policy', textOf(fields, 'policy_name'), fieldsOf(fields, 'table')),
  RuleStmt: fields => dropOn('rule', textOf(fields, 'rulename'), fieldsOf(fields, 'relation')),
}

function dropOn(what: string, name: string, relation: Fields): string {
  return `drop ${what} if exists ${quotedName([name])} on ${quotedRelation(relation)}`
}

/** Those that tell a routine from others of its name; a type that is only pointed at is left to the name alone. */
function argumentsOf(fields: Fields): string {
  const types = listOf(fields, 'parameters').flatMap(node => {
    const [, parameter] = openNode(node)
    return /^FUNC_PARAM_(?:OUT|TABLE)$/.test(textOf(parameter, 'mode')) ? [] : [fieldsOf(parameter, 'argType')]
  })
  if (types.some(type => type['pct_type'] === true)) return ''
  return `(${types.map(type => `${quotedName(stringsOf(listOf(type, 'names')))}${listOf(type, 'arrayBounds').length > 0 ? '[]' : ''}`).join(', ')})`
}

function stringsOf(list: readonly unknown[]): string[] {
  return list.map(node => textOf(openNode(node)[1], 'sval'))
}
