/** Whether a history tells the truth: what its files make on a scratch database is compared with what the database has. */
import type { Schema } from '../../schema/model.ts'
import { type Comparison, compareCatalogs } from '../compare.ts'
import { compareVersions, type Migration, type MigrationFile } from '../migration.ts'
import { onScratch, type ScratchPlace } from '../scratch.ts'
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

/** Proves each candidate on one scratch database; they grow, so each file runs once. */
export async function prove(
  live: Schema,
  candidates: readonly Candidate[],
  place: ScratchPlace & { readonly repeatables: readonly MigrationFile[]; readonly histories: readonly string[] },
): Promise<Proof[]> {
  return onScratch(place, async make => {
    const proofs: Proof[] = []
    for (const one of candidates) {
      const made = await make(one.applied, place.repeatables)
      proofs.push({ ...one, comparison: compareCatalogs(made, live, place.histories) })
    }
    return proofs
  })
}

function candidate(migrations: readonly Migration[]): Candidate {
  const applied = migrations.toSorted((a, b) => compareVersions(a.version, b.version))
  return { applied, version: applied.at(-1)?.version ?? null }
}
