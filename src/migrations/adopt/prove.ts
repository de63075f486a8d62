/** Whether a history tells the truth: what its files make on a scratch database is compared with what the database has. */
import { asPlinthError, type Code, type PlinthError } from '../../errors.ts'
import type { Comparison } from '../compare.ts'
import { compareVersions, type Migration } from '../migration.ts'
import { type Live, onScratch, type ScratchPlace } from '../scratch.ts'
import { withoutChanged } from './repeatables.ts'
import type { Doubt } from './tool.ts'

/** One way in which the history may be meant. */
export interface Candidate {
  /** In the order of their versions. */
  readonly applied: readonly Migration[]
  /** The newest of them; null when there is none. */
  readonly version: string | null
}

export interface Proof extends Candidate {
  readonly comparison: Comparison
}

/** The ways in which a history may be meant, from the fewest to the most applied; one when there is no doubt. */
export function candidatesOf(
  migrations: readonly Migration[],
  isApplied: (migration: Migration) => boolean,
  doubt: Doubt | null,
): Candidate[] {
  const sure = migrations.filter(
    migration => isApplied(migration) && (!doubt || compareVersions(migration.version, doubt.version) !== 0),
  )
  if (!doubt) return [candidate(sure)]
  const at = migrations.findIndex(({ version }) => compareVersions(version, doubt.version) === 0)
  const next = doubt.kind === 'unknown direction' ? migrations[at + 1] : undefined
  const doubtful = [migrations[at], next].flatMap(one => (one ? [one] : []))
  const sets = [sure, ...doubtful.map((_, count) => [...sure, ...doubtful.slice(0, count + 1)])]
  return sets.map(candidate)
}

export interface Proofs {
  readonly proofs: readonly Proof[]
  /** Why the doubtful file cannot be applied at all, so that no more candidates are possible; null when each could be made. */
  readonly impossible: PlinthError | null
}

/** Proves each candidate on one scratch database; they grow, so each file runs once. Throws where even the first cannot be made. */
export async function prove(
  live: Live,
  candidates: readonly Candidate[],
  place: ScratchPlace & {
    readonly repeatables: readonly Migration[]
    /** Those of them that have another text by now. */
    readonly changed: readonly Migration[]
    readonly histories: readonly string[]
  },
): Promise<Proofs> {
  return onScratch(place, async ({ make, compare }) => {
    const proofs: Proof[] = []
    for (const one of candidates) {
      try {
        const made = await make(one.applied, place.repeatables)
        const comparison = await compare(made, live, place.histories)
        const differences = await withoutChanged(comparison.differences, place.changed)
        proofs.push({ ...one, comparison: { ...comparison, differences } })
      } catch (thrown) {
        // A file that fails is the usual reason for a doubt: whatever the mark says, it is not applied as a whole.
        const error = asPlinthError(thrown)
        if (proofs.length === 0 || !isOfTheFile(error)) throw error
        return { proofs, impossible: error }
      }
    }
    return { proofs, impossible: null }
  })
}

/** The file cannot be applied, whatever becomes of the rest. */
export function isOfTheFile(error: unknown): boolean {
  return ofTheFile.has(asPlinthError(error).code)
}

const ofTheFile: ReadonlySet<Code> = new Set(['SQL_SYNTAX', 'SQL_FAILED', 'SQL_UNSUPPORTED', 'CONSTRAINT_VIOLATED'])

function candidate(migrations: readonly Migration[]): Candidate {
  const applied = migrations.toSorted((a, b) => compareVersions(a.version, b.version))
  return { applied, version: applied.at(-1)?.version ?? null }
}
