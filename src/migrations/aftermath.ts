/**
 * What a run left behind on the server when it died: behind a pooler its lease ends by the clock, while a statement that it sent may still
 * be at work. Whoever takes over waits for that, politely, so that two never work on the same step.
 */
import type { Session } from '../engines/engine.ts'
import { type Polling, pollFor } from '../engines/polling.ts'

/** Returns when no server process works any more for a run of the track that never said how it ended. Throws as a wait for a lock does. */
export async function awaitEarlierWork(session: Session, track: string, polling: Polling): Promise<void> {
  const begun = await session.query<{ now: string }>('select clock_timestamp() as now')
  const now = begun.rows[0]?.now ?? ''
  await pollFor(`plinth:${track}`, polling, async () => {
    const { rows } = await session.query<{ pid: number; state: string; since: string }>(earlierQuery, [track, now])
    const row = rows[0]
    return row ? { holder: `an earlier run that died: its server process ${row.pid} is still ${row.state}` } : {}
  })
}

/** The trace of a run is in the application name of its sessions. */
const earlierQuery = `
select a.pid, a.state
from plinth.migration_runs r
join pg_catalog.pg_stat_activity a on a.application_name like 'plinth:00-' || r.trace_id || '-%'
where r.track = $1 and r.status = 'running' and r.trace_id is not null
  and a.datname = current_database() and a.pid <> pg_backend_pid()
  and a.application_name <> current_setting('application_name')
  and a.state <> 'idle' and a.xact_start < $2::timestamptz
order by a.xact_start
limit 1`
