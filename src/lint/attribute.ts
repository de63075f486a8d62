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
  for (const touches of [isItself, isAround, isWithin]) {
    for (const step of steps.toReversed()) {
      const statement = step.statements.findLast(one =>
        one.changes.some(change => counts(change) && touches(change, object)),
      )
      if (!statement) continue
      const file = files.find(one => one.step === step)
      return file ? placeIn(file, statement.index, object) : null
    }
  }
  const last = files.find(one => one.step === steps.at(-1))
  return last ? { file: last, statement: null, range: undefined } : null
}

function placeIn(file: ViewedFile, index: number, object: string): Place {
  const statement = file.script.statements[index]
  return { file, statement: index, range: statement && nameIn(statement, lastPart(object), file.script.body) }
}

/** Indexes are named by schema alone, though they belong to a table. */
function isItself({ name, of }: ObjectChange, object: string): boolean {
  if (name === object) return true
  return of !== null && name.startsWith(`${of}.`) && `${of.replace(/\.[^.]*$/, '')}.${lastPart(name)}` === object
}

function isAround({ name }: ObjectChange, object: string): boolean {
  return object.startsWith(`${name}.`)
}

function isWithin({ name, of }: ObjectChange, object: string): boolean {
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
