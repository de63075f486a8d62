/**
 * A statement that runs outside of transactions holds its locks only while it works. So others hold weak locks on what it names: it has to wait
 * for each of them, and while it waits its own locks can be read from outside. Nobody else may work on the database.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from '../../engines/engine.ts'
import type { LockMode } from '../../schema/rehearsal.ts'
import type { Statement } from '../../sql/parse.ts'
import { dottedName, listOf, openNode, optionsOf, quotedName, quotedRelation } from '../../sql/tree.ts'

export type SeenLock = readonly [oid: number, mode: LockMode]

/** Runs the work and answers the locks that it was seen with. Whatever the gates cannot do, the work is done. */
export async function seeLocks(
  session: Session,
  statement: Statement,
  work: () => Promise<void>,
): Promise<readonly SeenLock[]> {
  const tables = skipsLocked(statement) ? [] : await tablesOf(session, statement)
  if (tables.length === 0 || session.sibling === undefined || session.backendId === null) {
    await work()
    return []
  }
  const gates: Gate[] = []
  const observer = await session.sibling('plinth rehearsal observer')
  try {
    for (const table of tables) gates.push(await openGate(session, table))
    const done = work().then(
      () => ({ error: null }),
      (error: unknown) => ({ error }),
    )
    const seen = await openOneByOne(observer, session.backendId, gates, done)
    const { error } = await done
    if (error !== null) throw error
    return seen
  } finally {
    for (const { session: holder } of gates) await holder.close()
    await observer.close()
  }
}

/** One transaction with two locks on a table: the stronger one can be let go alone. */
interface Gate {
  readonly session: Session
  readonly pid: number
  state: 'shut' | 'ajar' | 'open'
}

/** Whatever changes a table waits for the first; whatever keeps readers away, or waits until they are gone, waits for the second. */
async function openGate(session: Session, table: string): Promise<Gate> {
  const holder = await session.sibling?.('plinth rehearsal gate')
  if (!holder) throw new Error('The session has no sibling.')
  await holder.script(
    `begin;\nlock table only ${table} in access share mode;\nsavepoint ajar;\nlock table only ${table} in share update exclusive mode`,
  )
  return { session: holder, pid: holder.backendId ?? 0, state: 'shut' }
}

async function openOneByOne(
  observer: Session,
  pid: number,
  gates: readonly Gate[],
  done: Promise<unknown>,
): Promise<SeenLock[]> {
  const seen: SeenLock[] = []
  const state = { over: false }
  void done.finally(() => (state.over = true))
  for (let pauseMs = 1; !state.over; pauseMs = Math.min(pauseMs * 1.2, 20)) {
    const { rows } = await observer.query<{ blockers: number[]; locks: SeenLock[] | null }>(look, [pid])
    const { blockers = [], locks = null } = rows[0] ?? {}
    const inTheWay = gates.filter(gate => blockers.includes(gate.pid))
    if (inTheWay.length > 0) seen.push(...(locks ?? []))
    for (const gate of inTheWay) await openFurther(gate)
    await Promise.race([done, sleep(pauseMs)])
  }
  return seen
}

async function openFurther(gate: Gate): Promise<void> {
  await gate.session.script(gate.state === 'shut' ? 'rollback to savepoint ajar' : 'rollback')
  gate.state = gate.state === 'shut' ? 'ajar' : 'open'
}

const look = `
select pg_catalog.to_json(pg_catalog.pg_blocking_pids($1)) as blockers, (
  select pg_catalog.json_agg(pg_catalog.json_build_array(l.relation::bigint, l.mode))
  from pg_catalog.pg_locks l
  where l.pid = $1 and l.locktype = 'relation' and l.relation >= 16384
) as locks`

/** It would leave out what somebody holds. */
function skipsLocked({ tree }: Statement): boolean {
  const [kind, fields] = openNode(tree)
  return kind === 'VacuumStmt' && optionsOf(fields, 'options').has('skip_locked')
}

/** The tables that it names, and those of the indexes that it names, quoted; few are enough to know it by. */
async function tablesOf(session: Session, { tree }: Statement): Promise<string[]> {
  const [kind, fields] = openNode(tree)
  const dropped = kind === 'DropStmt' ? listOf(fields, 'objects').map(object => openNode(object)[1]) : []
  const names = new Set([
    ...relationsIn(fields),
    ...dropped.map(list => quotedName(listOf(list, 'items').map(dottedName))),
  ])
  const { rows } = await session.query<{ name: string }>(
    `select distinct pg_catalog.format('%I.%I', n.nspname, c.relname) as name
    from pg_catalog.unnest($1::text[]) as written (name)
    join pg_catalog.pg_class x on x.oid = pg_catalog.to_regclass(written.name)
    left join pg_catalog.pg_index i on i.indexrelid = x.oid
    join pg_catalog.pg_class c on c.oid = coalesce(i.indrelid, x.oid)
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p')
    order by 1
    limit 8`,
    [[...names].filter(Boolean)],
  )
  return rows.map(({ name }) => name)
}

/** Wherever a relation may stand in a tree, it has this name. */
function relationsIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  const own = 'relname' in node && typeof node.relname === 'string' ? [quotedRelation(node)] : []
  return [...own, ...Object.values(node).flatMap(relationsIn)]
}
