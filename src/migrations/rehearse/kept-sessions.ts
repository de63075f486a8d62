/**
 * Sessions that rest between the rehearsals of a process that stays: a server process that knows a catalog and has planned its questions answers in a
 * fraction of the time that a new one takes. What a script leaves behind in one, and the server does not take back, ends it.
 */
import type { Engine, OpenOptions, Session } from '../../engines/engine.ts'
import { resetStatements } from '../session-state.ts'

export interface KeptSessions {
  /** The same engine, whose sessions rest when they are closed, and are taken up again by whoever opens the same URL. */
  on(engine: Engine): Engine
  /** Ends those that rest; none rests from then on. */
  close(): Promise<void>
}

/** Whoever wants the database for himself may end the sessions of this name. */
export const restingName = 'plinth rehearsal, resting'

export function keepSessions(): KeptSessions {
  let resting: Resting[] = []
  let state: 'open' | 'closed' = 'open'

  async function take(engine: Engine, url: string, options: OpenOptions | undefined): Promise<Kept> {
    const found = resting.find(one => one.url === url)
    resting = resting.filter(one => one !== found)
    const kept = await found?.settled
    if (kept && (await goesOn(kept))) return kept
    const session = await engine.open(url, options)
    return { session, reset: await resetOf(session) }
  }

  const forget = (gone: Resting): void => {
    resting = resting.filter(one => one !== gone)
  }

  function rest(url: string, kept: Kept): void {
    const own: Resting = { url, settled: settle(kept) }
    resting.push(own)
    void own.settled.then(one => (one ? null : forget(own)))
    const over = state === 'closed' ? resting.splice(0) : resting.splice(0, resting.length - restingMax)
    for (const { settled } of over) void settled.then(one => one?.session.close())
  }

  return {
    on: engine => ({
      ...engine,
      open: async (url, options) => {
        const kept = await take(engine, url, options)
        return lent(kept.session, () => rest(url, kept))
      },
    }),
    async close() {
      state = 'closed'
      const ends = resting.splice(0).map(async ({ settled }) => (await settled)?.session.close())
      await Promise.all(ends)
    },
  }
}

/** One on the project's database, and as many on scratch databases as one goes to and fro between. */
const restingMax = 3

interface Kept {
  readonly session: Session
  /** Brings it back to where it began. */
  readonly reset: string
}

interface Resting {
  readonly url: string
  /** Null where it could not rest. */
  readonly settled: Promise<Kept | null>
}

/** Prepared statements of our own stay, since they are what makes it worth while. */
async function resetOf(session: Session): Promise<string> {
  const statements = await resetStatements(session)
  return ['rollback', ...statements.filter(one => one !== 'deallocate all')].join(';\n')
}

async function settle(kept: Kept): Promise<Kept | null> {
  const { session, reset } = kept
  try {
    await session.script(`${reset};\nset application_name = '${restingName}'`)
    const { rows } = await session.query<{ clean: boolean }>(leftNothing, [], { prepared: true })
    if (rows[0]?.clean) return kept
  } catch {
    // It was lost.
  }
  await session.close()
  return null
}

const leftNothing = `select not exists (select from pg_catalog.pg_prepared_statements where name !~ '^plinth_')
  and not exists (select from pg_catalog.pg_locks where pid = pg_catalog.pg_backend_pid() and locktype = 'advisory') as clean`

async function goesOn({ session, reset }: Kept): Promise<boolean> {
  try {
    await session.script(reset)
    return true
  } catch {
    await session.close()
    return false
  }
}

/** The session itself, but that it rests where it would be closed. */
function lent(session: Session, rest: () => void): Session {
  let state: 'lent' | 'given back' = 'lent'
  const close = async () => {
    if (state === 'lent') rest()
    state = 'given back'
  }
  return new Proxy(session, {
    get(target, name) {
      if (name === 'close') return close
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
