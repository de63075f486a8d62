/** A file may set a role, a search path or a date style. Our own statements between its statements see none of that, and leave it as it was. */
import type { Parameterized, Result, Session } from '../../engines/engine.ts'
import { literal } from './text.ts'

/** What is sent in the same message as the settings: before they hold, and while they do. */
export interface Along {
  readonly outside?: readonly Parameterized[]
  readonly inside?: readonly Parameterized[]
}

export interface Answers {
  readonly outside: readonly Result[]
  readonly inside: readonly Result[]
  /** What is put here is sent as the last thing before the settings are put back. */
  readonly last: Parameterized[]
}

/** Inside a transaction, which `outside` may open. When `work` throws, the transaction is lost anyway, and with it the settings. */
export async function plainly<T>(
  session: Session,
  work: (answers: Answers) => Promise<T>,
  { outside = [], inside = [] }: Along = {},
): Promise<T> {
  const known = logins.get(session)
  const early = known === undefined && outside.length > 0 ? await session.send(outside) : []
  const login = known ?? (await firstLogin(session))
  const ahead = early.length > 0 ? [] : outside
  const results = [...early, ...(await session.send([...ahead, entering(login), ...inside]))]
  const { role, session_authorization: other, ...rest } = (results[outside.length]?.rows[0] ?? {}) as Settings
  const last: Parameterized[] = []
  const result = await work({
    outside: results.slice(0, outside.length),
    inside: results.slice(outside.length + 1),
    last,
  })
  const back = Object.entries(rest).flatMap(([name, value]) => (name in plain ? [setting(name, value)] : []))
  await session.send([
    ...last,
    { text: `select ${back.join(', ')}`, prepared: true },
    // To be another user is to have no role, so that comes first.
    ...(other === login.user ? [] : [{ text: `set local session_authorization to ${literal(other ?? login.user)}` }]),
    ...(role === login.role && other === login.user
      ? []
      : [{ text: `set local role to ${literal(role ?? login.role)}` }]),
  ])
  return result
}

/** As {@link plainly} in one message, for questions alone: whatever they do is taken back. */
export async function askPlainly(
  session: Session,
  questions: readonly Parameterized[],
  outside: readonly Parameterized[] = [],
): Promise<readonly Result[]> {
  const login = logins.get(session) ?? (await firstLogin(session))
  const results = await session.send([
    ...outside,
    { text: 'savepoint plinth_question', prepared: true },
    entering(login),
    ...questions,
    { text: 'rollback to savepoint plinth_question', prepared: true },
    { text: 'release savepoint plinth_question', prepared: true },
  ])
  return results.slice(outside.length + 2, outside.length + 2 + questions.length)
}

type Settings = Readonly<Record<string, string>>

/** Read from left to right, so that each setting is read before it is set. */
function entering({ user, role }: Login): Parameterized {
  const ours = { session_authorization: user, role, ...plain }
  const read = Object.keys(ours).map(
    name => `${name === 'session_authorization' ? who : `current_setting('${name}')`} as "${name}"`,
  )
  const set = Object.entries(ours).map(([name, value], at) => `${setting(name, value)} as set_${at}`)
  return { text: `select ${[...read, ...set].join(', ')}`, prepared: true }
}

/** A server in one process, such as PGlite, has the setting empty until somebody sets it. */
const who = `coalesce(nullif(current_setting('session_authorization'), ''), session_user::text)`

function setting(name: string, value: string): string {
  return `set_config('${name}', ${literal(value)}, true)`
}

/** As the session began: who logged in, and the role that its settings, or those of the user, give it; `none` for no other. */
interface Login {
  readonly user: string
  readonly role: string
}

/** Whatever a file made of it. It stays the same for a session, so it is asked once. */
const logins = new WeakMap<Session, Login>()

async function firstLogin(session: Session): Promise<Login> {
  await session.script('savepoint plinth_user; set local session_authorization to default; set local role to default')
  const { rows } = await session.query<Login>(`select ${who} as user, current_setting('role') as role`)
  await session.script('rollback to savepoint plinth_user; release savepoint plinth_user')
  const login = rows[0] ?? { user: 'default', role: 'none' }
  logins.set(session, login)
  return login
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
  array_nulls: 'on',
  quote_all_identifiers: 'off',
  xmloption: 'content',
  jit: 'off',
}
