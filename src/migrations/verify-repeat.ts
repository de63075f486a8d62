/** Proves that each repeatable runs behind the versions, and once more over what it made: a text that cannot do that fails when it changes. */
import type { Session } from '../engines/engine.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import { diffSchemas } from '../schema/diff.ts'
import type { Migration } from './migration.ts'
import type { Report } from './run.ts'
import { spellDifferences } from './spell.ts'
import type { RepeatWish } from './repeat.ts'

export interface VerifiedRepeatable {
  readonly version: string
  readonly slug: string
  readonly firstMs: number
  /** Over what it made itself; null when it did not come so far. */
  readonly againMs: number | null
}

/** `apply` brings the repeatables that are wished for; `told` hears of each as soon as it is known. Throws what the first run throws, and VERIFY_FAILED. */
export async function verifyRepeatables(
  session: Session,
  repeatables: readonly Migration[],
  {
    apply,
    told,
  }: { readonly apply: (wish: RepeatWish) => Promise<Report>; readonly told: (one: VerifiedRepeatable) => void },
): Promise<void> {
  if (repeatables.length === 0) return
  const first = await apply('when changed')
  if (first.error) throw first.error
  const timesMs = new Map(first.done.map(({ version, durationMs }) => [version, durationMs]))
  const before = await session.introspect()
  const again = await apply('every')
  const againMs = new Map(again.done.map(({ version, durationMs }) => [version, durationMs]))
  for (const { version, slug } of repeatables)
    told({ version, slug, firstMs: timesMs.get(version) ?? 0, againMs: againMs.get(version) ?? null })
  if (again.error) throw notTwice(again.failed?.version ?? '', again.error)
  const differences = diffSchemas(before, await session.introspect())
  if (differences.length === 0) return
  throw new PlinthError(
    'VERIFY_FAILED',
    `Repeatables that run again make something else: ${spellDifferences(differences)}.`,
    {
      hint: 'A repeatable makes the same however often it runs: look for names that the server chooses, and for what is only made once.',
      details: { differences: differences.map(({ change, object, property }) => ({ change, object, property })) },
    },
  )
}

function notTwice(version: string, thrown: unknown): PlinthError {
  const error = asPlinthError(thrown)
  if (error.code === 'INTERRUPTED' || error.code === 'CONNECTION_LOST') return error
  return new PlinthError('VERIFY_FAILED', `${version} cannot run a second time: ${error.message}`, {
    at: error.at,
    hint: 'Write create or replace, if not exists, or drop what it makes first: it runs again whenever it changed.',
    sqlState: error.sqlState,
    details: error.details,
    cause: error,
  })
}
