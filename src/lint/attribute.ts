/** Which statement a defect of the catalog belongs to: the one that touched the object last. */
import type { Category } from './rule.ts'
import type { ObjectChange, RehearsedStep } from '../schema/rehearsal.ts'
import { byteIndex } from '../sql/positions.ts'
import type { Statement } from '../sql/parse.ts'
import { type Fields, textOf, walk } from '../sql/tree.ts'
import type { ViewedFile } from './view.ts'

export interface Place {
  readonly file: ViewedFile
  readonly statement: number | null
  /** Where the statement names the object, if it does. */
  readonly range: { readonly start: number; readonly end: number } | undefined
}

/** Null when the step that touched it last is not one that is judged. Who may use an object matters to rules on security alone. */
export function attribute(
  object: string,
  category: Category,
  steps: readonly RehearsedStep[],
  files: readonly ViewedFile[],
): Place | null {
  const counts = ({ kind }: ObjectChange) => kind !== 'comment' && (kind !== 'grant' || category === 'security')
  const kinds = [isItself, namesIt, isAround, isWithin]
  for (const touches of aboutNames.has(category) ? [isOrNamesIt, ...kinds] : kinds) {
    let name = object
    for (const step of steps.toReversed())
      for (const { index, changes } of step.statements.toReversed()) {
        if (changes.some(change => counts(change) && touches(change, name))) {
          const file = files.find(one => one.step === step)
          return file ? placeIn(file, index, name) : null
        }
        name = changes.reduce(nameBefore, name)
      }
  }
  const last = files.find(one => one.step === steps.at(-1))
  return last ? { file: last, statement: null, range: undefined } : null
}

function placeIn(file: ViewedFile, index: number, object: string): Place {
  const statement = file.script.statements[index]
  return { file, statement: index, range: statement && nameIn(statement, lastPart(object), file.script.body) }
}

/** What an object was called before a statement gave it, or what it belongs to, another name. */
function nameBefore(object: string, { name, newName }: ObjectChange): string {
  return newName !== undefined && (object === newName || object.startsWith(`${newName}.`))
    ? name + object.slice(newName.length)
    : object
}

/** A name that a statement gave is what these rules read. */
const aboutNames: ReadonlySet<Category> = new Set(['naming', 'security', 'governance'])

function isOrNamesIt(change: ObjectChange, object: string): boolean {
  return isItself(change, object) || namesIt(change, object)
}

/** To other rules a name makes no defect, unless what has it was there before the first step. */
function namesIt({ newName }: ObjectChange, object: string): boolean {
  return newName === object
}

/** Indexes are named by schema alone, though they belong to a table. */
function isItself({ name, of, newName }: ObjectChange, object: string): boolean {
  if (newName !== undefined) return false
  if (name === object) return true
  return of !== null && name.startsWith(`${of}.`) && `${of.replace(/\.[^.]*$/, '')}.${lastPart(name)}` === object
}

function isAround({ name }: ObjectChange, object: string): boolean {
  return object.startsWith(`${name}.`)
}

function isWithin({ name, of, newName }: ObjectChange, object: string): boolean {
  if (newName !== undefined) return false
  return of === object || name.startsWith(`${object}.`) || (of !== null && object.startsWith(`${of}.`))
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

/** A column or constraint of that name within the statement: from where it begins to the end of its line. */
function nameIn(statement: Statement, name: string, body: string): Place['range'] {
  let found: number | undefined
  walk(statement.tree, (kind, fields) => {
    if (found === undefined && nameKeys[kind]?.some(key => textOf(fields, key) === name)) found = locationOf(fields)
  })
  if (found === undefined) return undefined
  const start = byteIndex(body)(found)
  if (start < statement.start || start >= statement.end) return undefined
  const line = /^[^\n]*/.exec(body.slice(start, statement.end))?.[0] ?? ''
  return { start, end: start + Math.max(1, line.replace(/\s*(--.*)?$/, '').replace(/,$/, '').length) }
}

const nameKeys: Readonly<Record<string, readonly string[]>> = { ColumnDef: ['colname'], Constraint: ['conname'] }

function locationOf(fields: Fields): number | undefined {
  return typeof fields['location'] === 'number' && fields['location'] > 0 ? fields['location'] : undefined
}
