/**
 * Scratch databases that are kept between rehearsals. Each holds what a prefix of a history makes and is named after that prefix, so that the
 * next rehearsal begins where an earlier one ended. A lock a database keeps processes apart; a comment says that it is whole.
 *
 * Advisory locks are seen within one database alone. So each database that rehearsals are entered by has kept ones of its own, which
 * bear its oid in their names: nobody copies or drops what somebody works in who came by another one.
 */
import { randomBytes } from 'node:crypto'
import { withLock, withSession } from '../../engines/brackets.ts'
import type { Engine, Session } from '../../engines/engine.ts'
import { silent } from '../../telemetry/event.ts'

export interface Server {
  readonly engine: Engine
  /** A database of the server; scratch databases are made beside it, with its encoding and collation. */
  readonly url: string
  readonly signal?: AbortSignal | undefined
  /** A session on the database of the URL that somebody opened ahead; it is closed here. */
  readonly opened?: Session | undefined
  /** How many databases stay; 0 keeps none. Default 6. */
  readonly kept?: number | undefined
}

/** `lent`: the caller leaves the database as it was, by rolling back. `given`: the caller gets a copy of its own. */
export type Use = 'lent' | 'given'

export interface History {
  /** Of each prefix, the empty one first. */
  readonly keys: readonly string[]
  /** Brings a database from behind the first `done` scripts to the end; `told` is what the way there left to say. */
  replay(session: Session, done: number, told: Told): Promise<Told>
  /** Leaves in a database that stays what the next one would have to ask for. */
  remember(session: Session): Promise<void>
}

/** What a database that is kept lacks, so that it is said again whenever somebody works on it. */
export interface Told {
  readonly gaps: readonly string[]
  readonly missing: readonly string[]
}

/** Works in a session on a database on which the history was done. Throws what the replay throws. */
export async function onHistory<T>(
  server: Server,
  history: History,
  use: Use,
  work: (session: Session, told: Told) => Promise<T>,
): Promise<T> {
  const { engine, url, opened, kept = keptDefault } = server
  if (kept === 0) {
    await opened?.close()
    return onFresh(server, history, work)
  }
  const maintenance = opened ?? (await engine.open(url, { applicationName: application }))
  const copy = copyName()
  try {
    const keys = await ownKeys(maintenance, history)
    const key = keys.at(-1) ?? ''
    const done = await whileLocked(server, maintenance, key, async () => {
      const told = await ensureKept(server, maintenance, { ...history, keys })
      const whole = (session: Session) => work(session, told)
      if (use === 'lent') return { result: await inDatabase(server, nameOf(key), whole), whole }
      await copyOf(maintenance, key, copy)
      return { whole }
    })
    if ('result' in done) return done.result
    try {
      return await inDatabase(server, copy, done.whole)
    } finally {
      await maintenance.query(`drop database if exists ${copy} with (force)`).catch(() => undefined)
    }
  } finally {
    // Nobody waits for a goodbye.
    void maintenance.close()
  }
}

const application = 'plinth rehearsal'
const keptDefault = 6
const prefix = 'plinth_rehearsal_'
const copyPrefix = 'plinth_rehearsing_'
const copyLivesMs = 3_600_000

/** With the database in front that we came by. */
async function ownKeys(maintenance: Session, { keys }: History): Promise<string[]> {
  const { rows } = await maintenance.query<{ oid: string }>(
    'select d.oid::text as oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()',
    [],
    { prepared: true },
  )
  return keys.map(key => `${rows[0]?.oid}_${key}`)
}

function nameOf(key: string): string {
  return `${prefix}${key}`
}

/** The time tells which ones a dead process left behind. */
function copyName(): string {
  return `${copyPrefix}${Date.now().toString(36)}_${randomBytes(4).toString('hex')}`
}

async function onFresh<T>(
  server: Server,
  history: History,
  work: (session: Session, told: Told) => Promise<T>,
): Promise<T> {
  const { engine, url } = server
  const scratch = await engine.createScratch(url, copyName())
  try {
    return await withSession(engine, scratch.url, { applicationName: application }, async session => {
      return work(session, await history.replay(session, 0, nothingTold))
    })
  } finally {
    await scratch.drop()
  }
}

async function inDatabase<T>({ engine, url }: Server, name: string, work: (session: Session) => Promise<T>) {
  return withSession(engine, engine.beside?.(url, name) ?? url, { applicationName: application }, work)
}

async function whileLocked<T>({ signal }: Server, maintenance: Session, key: string, work: () => Promise<T>) {
  return withLock(
    maintenance,
    `plinth rehearsal ${key}`,
    { waitMs: 120_000, emit: silent, signal, kind: 'session' },
    work,
  )
}

/**
 * Under the lock of the key. Nobody may be in a database that is copied: sessions that rest there are ended, and so is a visitor's, which is a client
 * that was pointed at it, as far as this role may.
 */
async function copyOf(maintenance: Session, key: string, name: string): Promise<void> {
  await maintenance.query(
    'select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where datname = $1 and usename = current_user',
    [nameOf(key)],
  )
  await maintenance.query(`create database ${name} template ${nameOf(key)}`)
}

interface Kept {
  readonly key: string
  /** `others`: of another database; `nobody's`: of one that is gone. */
  readonly whose: 'ours' | 'others' | "nobody's"
  /** ISO 8601; null while it is being made, and when its maker died. */
  readonly usedAt: string | null
  readonly told: Told
}

const nothingTold: Told = { gaps: [], missing: [] }

/** Under the lock of the whole history's key. */
async function ensureKept(server: Server, maintenance: Session, history: History): Promise<Told> {
  const key = history.keys.at(-1) ?? ''
  const there = await listKept(maintenance)
  const own = there.find(one => one.key === key)
  if (own?.usedAt) {
    await touch(maintenance, own)
    return own.told
  }
  if (own) await drop(maintenance, nameOf(key))
  const made = await fromPrefix(server, maintenance, history, there)
  if (!made) await server.engine.createScratch(server.url, nameOf(key))
  let told: Told
  try {
    told = await inDatabase(server, nameOf(key), async session => {
      const whole = await history.replay(session, made?.done ?? 0, made?.told ?? nothingTold)
      await history.remember(session)
      return whole
    })
  } catch (error) {
    await drop(maintenance, nameOf(key)).catch(() => undefined)
    throw error
  }
  await mark(maintenance, key, told)
  await dropOldest(server, maintenance, key)
  return told
}

/** A copy of the longest prefix that is there; null when there is none. */
async function fromPrefix(
  server: Server,
  maintenance: Session,
  { keys }: History,
  there: readonly Kept[],
): Promise<{ readonly done: number; readonly told: Told } | null> {
  const whole = keys.length - 1
  for (let done = whole - 1; done >= 0; done--) {
    const key = keys[done] ?? ''
    if (!there.some(one => one.key === key && one.usedAt)) continue
    const copied = await whileLocked(server, maintenance, key, async () => {
      const found = (await listKept(maintenance)).find(one => one.key === key && one.usedAt)
      if (!found) return null
      await copyOf(maintenance, key, nameOf(keys[whole] ?? ''))
      return found.told
    })
    if (copied) return { done, told: copied }
  }
  return null
}

/** Most recently used first; what is unfinished comes last. */
async function listKept(maintenance: Session): Promise<Kept[]> {
  const { rows } = await maintenance.query<Pick<Kept, 'whose'> & { name: string; comment: string | null }>(
    `select kept.datname::text as name, pg_catalog.shobj_description(kept.oid, 'pg_database') as comment,
      case when entered.oid is null then 'nobody''s' when entered.datname = pg_catalog.current_database() then 'ours' else 'others' end as whose
    from pg_catalog.pg_database kept
    left join pg_catalog.pg_database entered
      on entered.oid::text = pg_catalog.split_part(pg_catalog.substr(kept.datname, pg_catalog.length($1) + 1), '_', 1)
    where pg_catalog.starts_with(kept.datname, $1)`,
    [prefix],
  )
  return rows
    .map(({ name, comment, whose }) => ({ key: name.slice(prefix.length), whose, ...readMark(comment) }))
    .sort((a, b) => (b.usedAt ?? '').localeCompare(a.usedAt ?? ''))
}

async function mark(maintenance: Session, key: string, told: Told): Promise<void> {
  const text = JSON.stringify({ plinthRehearsal: 1, usedAt: new Date().toISOString(), told })
  await maintenance.query(`comment on database ${nameOf(key)} is '${text.replaceAll("'", "''")}'`)
}

function readMark(comment: string | null): Pick<Kept, 'usedAt' | 'told'> {
  try {
    const { usedAt, told } = JSON.parse(comment ?? '{}') as Partial<Kept>
    return { usedAt: usedAt ?? null, told: told ?? nothingTold }
  } catch {
    return { usedAt: null, told: nothingTold }
  }
}

/** To the hour is enough to know the oldest, and saves a write nearly always. */
async function touch(maintenance: Session, { key, usedAt, told }: Kept): Promise<void> {
  if (Date.now() - Date.parse(usedAt ?? '') > 3_600_000) await mark(maintenance, key, told)
}

/** Databases that somebody works with are left alone. */
async function dropOldest({ kept = keptDefault }: Server, maintenance: Session, own: string): Promise<void> {
  const there = await listKept(maintenance)
  for (const { key, whose } of there)
    if (whose === "nobody's") await drop(maintenance, nameOf(key)).catch(() => undefined)
  const others = there.filter(({ key, whose }) => whose === 'ours' && key !== own)
  for (const { key } of others.slice(Math.max(0, kept - 1))) {
    if (!(await maintenance.tryLock(`plinth rehearsal ${key}`))) continue
    await drop(maintenance, nameOf(key)).catch(() => undefined)
    await maintenance.unlock(`plinth rehearsal ${key}`)
  }
  const { rows } = await maintenance.query<{ name: string }>(
    'select d.datname::text as name from pg_catalog.pg_database d where pg_catalog.starts_with(d.datname, $1)',
    [copyPrefix],
  )
  for (const { name } of rows) {
    const madeAt = Number.parseInt(name.slice(copyPrefix.length).split('_')[0] ?? '', 36)
    if (Date.now() - madeAt > copyLivesMs) await drop(maintenance, name).catch(() => undefined)
  }
}

async function drop(maintenance: Session, name: string): Promise<void> {
  await maintenance.query(`drop database if exists ${name} with (force)`)
}
