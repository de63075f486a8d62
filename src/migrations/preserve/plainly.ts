/** A file may set a role, a search path or a date style. Our own statements between its statements see none of that, and leave it as it was. */
import type { Session } from '../../engines/engine.ts'
import { literal } from './text.ts'

/** Inside an open transaction. When `work` throws, the transaction is lost anyway, and with it the settings. */
export async function plainly<T>(session: Session, work: () => Promise<T>): Promise<T> {
  const { rows } = await session.query<Record<string, string>>(
    `select ${[...Object.keys(plain), 'role', 'session_authorization'].map(name => `current_setting('${name}') as "${name}"`).join(', ')}`,
    [],
    { prepared: true },
  )
  const before = rows[0] ?? {}
  await session.script(
    [
      'set local session_authorization to default',
      'set local role to none',
      ...Object.entries(plain).map(([name, value]) => `set local ${name} to ${value}`),
    ].join(';\n'),
  )
  const { rows: own } = await session.query<{ user: string }>(
    "select current_setting('session_authorization') as user",
    [],
    { prepared: true },
  )
  const result = await work()
  const back = Object.keys(plain).map(name => `set_config('${name}', ${literal(before[name] ?? '')}, true)`)
  const user = before['session_authorization'] ?? ''
  await session.script(
    [
      `select ${back.join(', ')}`,
      ...(user === own[0]?.user ? [] : [`set local session_authorization to ${literal(user)}`]),
      ...(before['role'] === 'none' ? [] : [`set local role to ${literal(before['role'] ?? 'none')}`]),
    ].join(';\n'),
  )
  return result
}

/**
 * Text forms that are the same in every session; rows that row security would hide are an error rather than a silent loss; and a copy has the
 * order of its table.
 */
const plain: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog, pg_temp',
  timezone: "'UTC'",
  datestyle: "'ISO, YMD'",
  intervalstyle: "'iso_8601'",
  extra_float_digits: '1',
  bytea_output: "'hex'",
  row_security: 'off',
  synchronize_seqscans: 'off',
  jit: 'off',
}
