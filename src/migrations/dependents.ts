/**
 * Which later migrations stand on what is to be taken back. Two questions, and either answer is enough to refuse: does a later migration name
 * what an earlier one made or changed, and does anything in the database hang on what the down files drop?
 */
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { Parse, Script } from '../sql/parse.ts'
import { label, type VersionHistory } from './migration.ts'
import type { Plan, StepScript } from './plan.ts'
import { dependentsInCatalog } from './dependents-catalog.ts'
import { droppedBy, namesIn, objectsOf, wordsOf } from './dependents-names.ts'

export interface Dependent {
  /** Null for what no migration names, such as a view that was made by hand. */
  readonly version: string | null
  readonly slug: string | null
  /** What is shared, as written, or what hangs on it, as PostgreSQL describes it. */
  readonly objects: readonly string[]
}

export interface DependentsInput {
  readonly plan: Plan
  readonly scripts: ReadonlyMap<string, StepScript>
  /** Applied after one of those that are taken back, and staying. */
  readonly later: readonly VersionHistory[]
  /** Text of an up file as it ran, or as the folder has it; null when neither is known. */
  readonly upOf: (version: string) => Promise<string | null>
  readonly parse: Parse
}

/** Throws ROLLBACK_BLOCKED with the list of versions and objects. In doubt it refuses. */
export async function refuseDependents(session: Session, input: DependentsInput): Promise<void> {
  if (input.later.length === 0 || input.plan.steps.length === 0) return
  const taken = await Promise.all(
    input.plan.steps.map(async step => {
      const down = input.scripts.get(step.version)?.script ?? null
      return { step, down, scripts: [down, await upScript(input, step.version)].filter(one => one !== null) }
    }),
  )
  const objects = new Set(taken.flatMap(({ step, scripts }) => [...step.tables, ...scripts.flatMap(objectsOf)]))
  const later = await Promise.all(input.later.map(async one => ({ one, script: await upScript(input, one.version) })))
  const byName = later.flatMap(({ one, script }) => {
    const shared = script === null ? [...objects] : namesIn(script, one.applied?.tables ?? [], objects)
    return shared.length === 0 ? [] : [{ version: one.version, slug: one.slug, objects: shared }]
  })
  const dropped = taken.flatMap(({ down }) => down?.statements.flatMap(droppedBy) ?? [])
  const hanging = session.engine.can.postgresSyntax ? await dependentsInCatalog(session, dropped) : []
  const byCatalog = hanging
    .filter(({ relation }) => !objects.has(relation) && !objects.has(relation.replace(/^.*\./, '')))
    .map(({ relation, description }) => {
      const maker = later.find(({ script }) => script && wordsOf(script).has(lastPart(relation)))?.one
      return { version: maker?.version ?? null, slug: maker?.slug ?? null, objects: [description] }
    })
  const dependents = merge([...byName, ...byCatalog])
  if (dependents.length > 0) throw blocked(input.plan, dependents)
}

/** Null when the text is lost or cannot be read, which then counts as touching everything. */
async function upScript({ upOf, parse }: DependentsInput, version: string): Promise<Script | null> {
  const text = await upOf(version)
  try {
    return text === null ? null : parse(text)
  } catch {
    return null
  }
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function merge(dependents: readonly Dependent[]): Dependent[] {
  const merged = new Map<string, Dependent>()
  for (const { version, slug, objects } of dependents) {
    const before = merged.get(version ?? '')?.objects ?? []
    merged.set(version ?? '', { version, slug, objects: [...new Set([...before, ...objects])].sort() })
  }
  return [...merged.values()]
}

function blocked(plan: Plan, dependents: readonly Dependent[]): PlinthError {
  const list = dependents.map(({ version, slug, objects }) => {
    const who = version === null || slug === null ? 'no migration' : label({ version, slug })
    return `${who} (${objects.slice(0, 5).join(', ')}${objects.length > 5 ? ` and ${objects.length - 5} more` : ''})`
  })
  const versions = dependents.flatMap(({ version }) => version ?? [])
  const first = plan.steps.map(label).join(', ')
  return new PlinthError('ROLLBACK_BLOCKED', `What was applied later stands on ${first}: ${list.join('; ')}.`, {
    hint:
      versions.length > 0
        ? `Take ${versions.toReversed().join(', ')} back first, or roll back with --to to the version before all of them.`
        : 'Drop or change what hangs on it, then roll back.',
    details: { dependents },
  })
}
