/**
 * What a rehearsal foresaw of a step, and whether it came so. Locks of reading and writing rows depend on the rows, which a rehearsal has not; from
 * "share update exclusive" upwards the statements decide, and there a difference means that the target is not what the rehearsal took it for.
 */
import type { Session } from '../../engines/engine.ts'
import { lockStrength, type LockMode, type Rehearsal } from '../../schema/rehearsal.ts'

/** By version. */
export type Foresight = ReadonlyMap<string, ForeseenLocks>

export interface ForeseenLocks {
  /** The strongest of the step on each table, view and materialized view, from "share update exclusive" upwards. */
  readonly strongest: ReadonlyMap<string, LockMode>
  /** Those that were there before the step. */
  readonly known: ReadonlySet<string>
}

export interface LockDifference {
  readonly relation: string
  /** Null for none that matters. */
  readonly predicted: LockMode | null
  readonly observed: LockMode | null
}

/** Pure. Steps that failed, that do not run in one transaction or that rename what others know have nothing to compare. */
export function foresightOf(rehearsal: Rehearsal): Foresight {
  const foresight = new Map<string, ForeseenLocks>()
  let before = rehearsal.before
  for (const { version, statements, failure, after } of rehearsal.steps) {
    const known = new Set([...before.tables, ...before.views].map(({ schema, name }) => `${schema}.${name}`))
    before = after
    if (failure || statements.some(one => one.bare || one.changes.some(change => change.newName !== undefined)))
      continue
    const strongest = new Map<string, LockMode>()
    for (const { relation, kind, mode } of statements.flatMap(one => one.locks)) {
      if (kind === 'index' || kind === 'sequence' || !matters(mode)) continue
      const other = strongest.get(relation)
      if (other === undefined || lockStrength(mode) > lockStrength(other)) strongest.set(relation, mode)
    }
    foresight.set(version, { strongest, known })
  }
  return foresight
}

/**
 * At the end of the step's transaction, while its locks are held: one query. A `watched` step was observed by triggers of ours, which lock a table as
 * they are made, so that only what is stronger says something.
 */
export async function differencesOf(
  session: Session,
  { strongest, known }: ForeseenLocks,
  how: 'plain' | 'watched',
): Promise<LockDifference[]> {
  const { rows } = await session.query<{ relation: string; modes: LockMode[] }>(held, [[...strongest.keys()]])
  return rows.flatMap(({ relation, modes }): LockDifference[] => {
    if (!known.has(relation)) return []
    const observed = modes.filter(matters).sort((a, b) => lockStrength(b) - lockStrength(a))[0] ?? null
    const predicted = strongest.get(relation) ?? null
    if (how === 'watched' && (observed === null || lockStrength(observed) <= lockStrength('ShareRowExclusiveLock')))
      return []
    return observed === predicted ? [] : [{ relation, predicted, observed }]
  })
}

function matters(mode: LockMode): boolean {
  return lockStrength(mode) >= lockStrength('ShareUpdateExclusiveLock')
}

/** What was dropped meanwhile has no name any more, and is left out. */
const held = `
select n.nspname || '.' || c.relname as relation,
  coalesce(pg_catalog.json_agg(l.mode) filter (where l.mode is not null), '[]') as modes
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_locks l on l.relation = c.oid and l.locktype = 'relation' and l.granted and l.pid = pg_catalog.pg_backend_pid()
  and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
where c.oid >= 16384 and c.relkind in ('r', 'p', 'f', 'v', 'm') and (l.relation is not null or n.nspname || '.' || c.relname = any ($1))
group by 1
order by 1`
