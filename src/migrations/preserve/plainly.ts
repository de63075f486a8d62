/** A file may set a role, a search path or a date style. Our own statements between its statements see none of that, and leave it as it was. */
import type { Session } from '../../engines/engine.ts'
import { literal } from './text.ts'

/** Inside an open transaction. When `work` throws, the transaction is lost anyway, and with it the settings. */
export async function plainly<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const user = users.get(session) ?? (await firstUser(session))
  users.set(session, user)
  const ours = { session_authorization: user, role: 'none', ...plain }
  const names = Object.keys(ours)
  // Read from left to right, so that each setting is read before it is set.
  const { rows } = await session.query<Record<string, string>>(
    `select ${[
      ...names.map(name => `current_setting('${name}') as "${name}"`),
      ...Object.entries(ours).map(([name, value]) => setting(name, value)),
    ].join(', ')}`,
  )
  const before = rows[0] ?? {}
  const result = await work()
  const { role, session_authorization: other, ...rest } = before
  await session.script(
    [
      `select ${Object.entries(rest)
        .filter(([name]) => name in plain)
        .map(([name, value]) => setting(name, value))
        .join(', ')}`,
      ...(other === user ? [] : [`set local session_authorization to ${literal(other ?? user)}`]),
      ...(role === 'none' ? [] : [`set local role to ${literal(role ?? 'none')}`]),
    ].join(';\n'),
  )
  return result
}

function setting(name: string, value: string): string {
  return `set_config('${name}', ${literal(value)}, true)`
}

/** Who logged in, whatever a file made of it. It stays the same for a session, so it is asked once. */
const users = new WeakMap<Session, string>()

async function firstUser(session: Session): Promise<string> {
  await session.script('savepoint plinth_user; set local session_authorization to default')
  const { rows } = await session.query<{ user: string }>("select current_setting('session_authorization') as user")
  await session.script('rollback to savepoint plinth_user; release savepoint plinth_user')
  return rows[0]?.user ?? 'default'
}

/**
 * Text forms that are the same in every session; rows that row security would hide are an error rather than a silent loss; and a copy has the
 * order of its table.
 */
const plain: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog, pg_temp',
  timezone: 'UTC',
  datestyle: 'ISO, YMD',
  intervalstyle: 'iso_8601',
  extra_float_digits: '1',
  bytea_output: 'hex',
  row_security: 'off',
  synchronize_seqscans: 'off',
  jit: 'off',
}
