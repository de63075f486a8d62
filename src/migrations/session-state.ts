/** A file may change the session (`set search_path`, `set role`). The next one must find it as the run began, without a new connection. */
import type { Session } from '../engines/engine.ts'

/** Statements that bring the session back to its present state. They keep its advisory locks, unlike `discard all`. */
export async function resetStatements(session: Session): Promise<string[]> {
  if (session.pooled) return pooledReset
  if (!session.engine.can.statefulSessions) return []
  return session.engine.can.postgresSyntax ? postgresReset(session) : namespaceReset(session)
}

/** What a step has to be followed by: our own prepared statements stay, unless the step speaks of such statements. */
export function resetAfter(text: string, reset: readonly string[]): readonly string[] {
  return /\bprepare\b/i.test(text) ? reset : reset.filter(statement => statement !== 'deallocate all')
}

/**
 * Behind a pooler the state belongs to a server process that others use before and after, so it is kept at the begin of every transaction
 * and restored at its end. Prepared statements stay, since poolers count on their own.
 */
export const keepState = `select set_config('plinth.kept', coalesce(jsonb_object_agg(name, setting), '{}')::text, true)
from pg_catalog.pg_settings
where source = 'session' and name not like 'transaction%' and name <> 'plinth.kept'`

const pooledReset = [
  'reset session authorization',
  'reset role',
  `do $plinth$
declare kept jsonb := current_setting('plinth.kept');
begin
  reset all;
  perform set_config(key, value, false) from jsonb_each_text(kept);
end $plinth$`,
  'close all',
  'unlisten *',
  'discard temp',
  'discard sequences',
]

async function postgresReset(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ name: string; setting: string }>(`
    select name, setting
    from pg_catalog.pg_settings
    where source = 'session'
    order by name`)
  const calls = rows.map(({ name, setting }) => `pg_catalog.set_config(${literal(name)}, ${literal(setting)}, false)`)
  const again = calls.length === 0 ? [] : [`select ${calls.join(', ')}`]
  return [
    'reset session authorization',
    'reset role',
    'reset all',
    ...again,
    'close all',
    'deallocate all',
    'unlisten *',
    'discard temp',
    'discard sequences',
  ]
}

async function namespaceReset(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ catalog: string; namespace: string }>(
    'select current_database() as catalog, current_schema() as namespace',
  )
  const row = rows[0]
  return row ? [`use ${identifier(row.catalog)}.${identifier(row.namespace)}`] : []
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function identifier(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}
