/** The databases of the fleet: who they are, and the same command on each of them. */
import { type Config, expand, loadConfig, type Track } from '../config/load.ts'
import type { FleetEntry, FleetSetting } from '../config/fleet.ts'
import { withSession } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { engineOf } from '../engines/registry.ts'
import { nearest, PlinthError } from '../errors.ts'
import { failedVisit, type FleetReport, type Member, type Visit, visitFleet } from '../migrations/fleet.ts'
import type { MigrationFolder } from '../migrations/migration.ts'
import type { Report } from '../migrations/run.ts'
import { type Database, databaseOf, type Desk, onDatabase } from './desk.ts'
import { folderOf } from './folder.ts'
import { type ApplyRequest, type PlanRequest, runOptions } from './migrations.ts'

export async function applyFleet(desk: Desk, request: ApplyRequest): Promise<FleetReport> {
  const { applyTrack } = await import('../migrations/track.ts')
  return onFleet(desk, async (session, member) =>
    visitOf(await applyTrack(session, { ...request, ...accepting(member, request) })),
  )
}

/** Throws TARGET_REQUIRED without a target, and USAGE for one that only means something in one database. */
export async function rollbackFleet(desk: Desk, request: ApplyRequest): Promise<FleetReport> {
  refuseForeignTarget(request)
  const { rollbackTrack } = await import('../migrations/track.ts')
  return onFleet(desk, async (session, member) =>
    visitOf(await rollbackTrack(session, { ...request, ...accepting(member, request) })),
  )
}

/** Where each stands; `from` and `to` are what is and what would be. Changes nothing. */
export async function planFleet(desk: Desk, request: PlanRequest): Promise<FleetReport> {
  if (request.direction === 'down') refuseForeignTarget(request)
  const { planTrack } = await import('../migrations/track.ts')
  return onFleet(desk, async (session, { track, folder }) => {
    const { from, to, steps } = await planTrack(session, { ...request, track, folder })
    const status = steps.length === 0 ? 'nothing-to-do' : 'succeeded'
    return { status, from, to, stepsDone: steps.length, runId: null, error: null }
  })
}

/** `stepsDone` counts the versions that are not simply applied. */
export async function statusOfFleet(desk: Desk): Promise<FleetReport> {
  const { readStatus } = await import('../migrations/status.ts')
  return onFleet(desk, async (session, { track, folder }) => {
    const { current, counts, versions } = await readStatus(session, { track, folder })
    const open = versions.length - counts.applied
    const to = versions.findLast(({ repeats }) => repeats === undefined)?.version ?? current
    return {
      status: open === 0 ? 'nothing-to-do' : 'succeeded',
      from: current,
      to,
      stepsDone: open,
      runId: null,
      error: null,
    }
  })
}

/** A loss that was accepted by version is accepted on every database. */
function accepting(member: RunOptions, { acceptLoss = [] }: ApplyRequest): RunOptions {
  return member.preserve === 'off' ? member : { ...member, preserve: { ...member.preserve, acceptLoss } }
}

type RunOptions = ReturnType<typeof runOptions> & { readonly folder: MigrationFolder }

async function onFleet(
  desk: Desk,
  work: (session: Session, options: RunOptions) => Promise<Visit>,
): Promise<FleetReport> {
  const { config, emit, signal } = desk
  const fleet = config.fleet
  if (!fleet) {
    throw new PlinthError('CONFIG_INVALID', 'The configuration names no fleet, so --all has nothing to act on.', {
      ...(config.file === null ? {} : { at: { file: config.file } }),
      hint: 'Write `fleet:` with `databases:` (name and url each) or with `query:`; see docs/configuration.md.',
    })
  }
  const track = trackOf(config, fleet)
  const members = await membersOf(desk, fleet, track)
  assertCanary(fleet, members)
  const { canary, parallelism } = fleet
  const folder = await folderOf(config, track)
  return visitFleet({
    track: track.name,
    members,
    canary,
    parallelism,
    emit,
    signal,
    visit: (member, emitNamed) => {
      const own = { ...desk, emit: emitNamed }
      return onMember(own, { ...runOptions(own, track), folder }, member, work)
    },
  })
}

interface Reached extends Member {
  readonly database: Database
}

/** A tenant's schema has a history of its own, under the name of track and schema. */
async function onMember(
  desk: Desk,
  options: RunOptions,
  { database: { engine, url }, schema }: Reached,
  work: (session: Session, options: RunOptions) => Promise<Visit>,
): Promise<Visit> {
  if (schema === null) return onDatabase(desk, { engine, url }, session => work(session, options))
  const settings = { search_path: quoted(schema) }
  return withSession(engine, url, { applicationName: desk.application, settings }, async session => {
    await assertSchema(session, schema)
    return work(session, { ...options, track: `${options.track}/${schema}` })
  })
}

/** A schema that is not there, or a pooler that forgets the setting, would let the migrations run somewhere else. */
async function assertSchema(session: Session, schema: string): Promise<void> {
  const { rows } = await session.query<{ name: string | null }>('select current_schema() as name')
  if (rows[0]?.name === schema) return
  throw new PlinthError('DATABASE_UNKNOWN', `${session.address} has no schema "${schema}" that this session can use.`, {
    at: { object: schema },
    hint: `Run: create schema ${quoted(schema)} — and connect without a transaction pooler, which forgets the schema.`,
  })
}

function visitOf({ status, from, current, done, runId, error }: Report): Visit {
  return { status, from, to: current, stepsDone: done.length, runId, error: error ? failedVisit(error) : null }
}

function trackOf(config: Config, { track }: FleetSetting): Track {
  const found = track === null ? config.tracks[0] : config.everyTrack.find(({ name }) => name === track)
  if (found) return found
  const known = config.everyTrack.map(({ name }) => name)
  throw new PlinthError('TRACK_UNKNOWN', `There is no track "${track ?? ''}", which fleet.track names.`, {
    hint: `Known: ${known.join(', ')}.`,
  })
}

/** All are known before the first is touched, so that a mistake in one line changes nothing anywhere. */
async function membersOf(desk: Desk, fleet: FleetSetting, track: Track): Promise<Reached[]> {
  const asked = fleet.query ? await askedFor(desk, fleet, track) : []
  const entries = [...fleet.databases.map(entry => ({ entry, from: 'file' as const })), ...asked]
  const members: Reached[] = []
  for (const { entry, from } of entries) {
    const database = await reach(desk, track, entry, from)
    const member = { name: entry.name, address: database.engine.describe(database.url), schema: entry.schema, database }
    const twin = members.find(
      other => other.name === member.name || (other.address === member.address && other.schema === member.schema),
    )
    if (twin) {
      const what = twin.name === member.name ? `the name "${member.name}"` : `the database of "${twin.name}"`
      throw invalid(`It has ${what} twice.`, `fleet.databases.${member.name}`)
    }
    if (entry.schema !== null && !database.engine.can.rowSecurity)
      throw invalid(`${member.name} names a schema, and only PostgreSQL is reached by schema.`, member.name)
    members.push(member)
  }
  return members
}

type Sourced = { readonly entry: FleetEntry; readonly from: 'file' | 'query' }

async function reach(desk: Desk, track: Track, entry: FleetEntry, from: Sourced['from']): Promise<Database> {
  const { config } = desk
  const place = `fleet.databases.${entry.name}`
  if (entry.environment !== null) return ofEnvironment(desk, track, entry.environment, place)
  if (entry.url !== null) {
    // A table of tenants is written by others than this file: what it says must not be able to ask for our variables.
    const url = from === 'file' ? expand(entry.url, config.variables, `${place}.url`) : entry.url
    return { engine: await engineOf(url), url }
  }
  const own = await databaseOf(desk, track)
  if (entry.database === null) return own
  const { withDatabase } = await import('../engines/postgres/url.ts')
  const name = from === 'file' ? expand(entry.database, config.variables, `${place}.database`) : entry.database
  return { engine: own.engine, url: withDatabase(own.url, name) }
}

/** The same track, as another environment of the project has it. */
async function ofEnvironment(desk: Desk, { name }: Track, environment: string, place: string): Promise<Database> {
  const { config } = desk
  const { DATABASE_URL: _d, WAREHOUSE_URL: _w, PLINTH_ENV: _e, ...others } = config.variables
  const flags = { env: environment, ...(config.file === null ? {} : { config: config.file }) }
  const other = await loadConfig(flags, config.root, { DATABASE_URL: '', WAREHOUSE_URL: '', ...others })
  const track = other.everyTrack.find(one => one.name === name)
  if (track?.database == null)
    throw invalid(`The environment ${environment} names no database for the track ${name}.`, place)
  return databaseOf({ ...desk, config: { ...other, variables: config.variables } }, track)
}

async function askedFor(desk: Desk, { query }: FleetSetting, track: Track): Promise<Sourced[]> {
  if (!query) return []
  const url = query.database === null ? null : expand(query.database, desk.config.variables, 'fleet.query.database')
  const database = url === null ? await databaseOf(desk, track) : { engine: await engineOf(url), url }
  const { rows } = await onDatabase(desk, database, session => session.query(query.sql))
  return rows.map((row, at) => {
    const text = (column: string): string | null => {
      const value = row[column] ?? null
      if (value === null || value === '') return null
      return typeof value === 'string' ? value : JSON.stringify(value)
    }
    const name = text('name')
    if (name === null) throw invalid(`Row ${at + 1} of its query has no "name".`, 'fleet.query.sql')
    const entry = { name, url: text('url'), database: text('database'), schema: text('schema'), environment: null }
    return { entry, from: 'query' as const }
  })
}

function assertCanary({ canary }: FleetSetting, members: readonly Member[]): void {
  if (canary === null || members.some(({ name }) => name === canary)) return
  const guess = nearest(
    canary,
    members.map(({ name }) => name),
  )
  throw invalid(`It has no database "${canary}" to be its canary.`, 'fleet.canary', guess && `Did you mean "${guess}"?`)
}

function refuseForeignTarget({ target }: ApplyRequest): void {
  if (!target || target.kind === 'latest') {
    throw new PlinthError('TARGET_REQUIRED', 'A rollback needs to be told how far.', {
      hint: 'Use --to VERSION, --to 0, --steps N or --run last.',
    })
  }
  if (target.kind !== 'run' || target.runId === 'last') return
  throw new PlinthError('USAGE', 'A run belongs to one database, so it cannot be taken back on all of them.', {
    hint: 'Use --to VERSION, --steps N or --run last.',
  })
}

function invalid(why: string, place: string, hint = 'Correct the fleet of the configuration.'): PlinthError {
  return new PlinthError('CONFIG_INVALID', `The fleet is not valid. ${why}`, { at: { object: place }, hint })
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
