/** Which repeatables stand on what is taken back. They are not taken back with it, so they would fall with it, or fail when they are called. */
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { Parse, Script } from '../sql/parse.ts'
import { openNode } from '../sql/tree.ts'
import { type Dropped, dependentsInCatalog, type Hanging } from './dependents-catalog.ts'
import { droppedBy, objectsOf, wordsOf } from './dependents-names.ts'
import { readStoredSql } from './history.ts'
import { isRepeatable, label, type VersionHistory } from './migration.ts'
import type { Planned } from './plan.ts'

export interface RepeatablesInput extends Planned {
  readonly repeatables: readonly VersionHistory[]
  readonly parse: Parse
}

/** Throws ROLLBACK_BLOCKED with the list. */
export async function refuseRepeatables(
  session: Session,
  { plan, scripts, repeatables, parse }: RepeatablesInput,
): Promise<void> {
  const taken = new Set(plan.steps.map(({ version }) => version))
  const staying = repeatables.filter(one => one.applied !== null && !taken.has(one.version))
  const versions = plan.steps.filter(({ version }) => !isRepeatable(version))
  const dropped = versions.flatMap(({ version }) => scripts.get(version)?.script.statements.flatMap(droppedBy) ?? [])
  if (staying.length === 0 || dropped.length === 0) return
  const hanging = session.engine.can.postgresSyntax ? await dependentsInCatalog(session, dropped) : []
  const dependents: { readonly version: string; readonly objects: readonly string[] }[] = []
  for (const { version, applied } of staying) {
    const text = applied ? await readStoredSql(session, applied.id, 'up') : null
    const script = text === null ? null : parse(text, version)
    const objects = script ? [...hangingOf(script, hanging), ...calledIn(script, dropped)] : []
    if (objects.length > 0) dependents.push({ version, objects: [...new Set(objects)].sort() })
  }
  if (dependents.length > 0) throw blocked(versions.map(label), dependents)
}

/** What the catalog says, of what the script makes. */
function hangingOf(script: Script, hanging: readonly Hanging[]): string[] {
  const made = new Set(objectsOf(script).map(lastPart))
  return hanging
    .filter(
      ({ relation, description }) => made.has(lastPart(relation)) || wordsIn(description).some(one => made.has(one)),
    )
    .map(({ description }) => description)
}

/** Of bodies of functions the catalog knows nothing; a column counts only beside the name of its table. */
function calledIn(script: Script, dropped: readonly Dropped[]): string[] {
  const bodies = script.statements.filter(({ tree }) => /^(?:CreateFunctionStmt|DoStmt|)$/.test(openNode(tree)[0]))
  const words = wordsOf({ ...script, statements: bodies })
  return dropped
    .filter(({ name, column }) => words.has(name.at(-1) ?? '') && (column === null || words.has(column)))
    .map(({ name, column }) => [...name, ...(column === null ? [] : [column])].join('.'))
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).replaceAll('"', '')
}

function wordsIn(description: string): string[] {
  return description.match(/[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []
}

function blocked(
  first: readonly string[],
  dependents: readonly { readonly version: string; readonly objects: readonly string[] }[],
): PlinthError {
  const list = dependents.map(({ version, objects }) => `${version} (${objects.slice(0, 5).join(', ')})`)
  const names = dependents.map(({ version }) => version).toReversed()
  return new PlinthError('ROLLBACK_BLOCKED', `Repeatables stand on ${first.join(', ')}: ${list.join('; ')}.`, {
    hint: `Bring ${names.length === 1 ? 'it' : 'them'} to the text before first: ${names.map(name => `plinth rollback --repeatable ${name}`).join(', ')}. The next apply runs the newest again.`,
    details: { dependents },
  })
}
