/**
 * The configuration: found by name or by walking up, merged as flag > environment variable > environment file > file > default, with
 * the origin of each value. A database URL is kept as written and expanded only when a command needs it, so that a command without a
 * database never asks for one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { nearest, PlinthError } from '../errors.ts'
import type { DbtFlags, DbtSetting } from './dbt.ts'
import { findDbtProject } from './dbt-project.ts'
import { type FleetSetting, readFleet } from './fleet.ts'
import { type HookSetting, readHooks } from './hooks.ts'
import { lintOrigins, type LintSetting, readLint } from './lint.ts'
import { readRollups, rollupOrigins, type RollupSetting } from './rollups.ts'
import { remember } from './remember.ts'
import type { ConfigFile, OverlayFile } from './schema.ts'
import { readYaml } from './yaml.ts'

export type Origin = 'default' | 'file' | 'environment file' | 'environment variable' | 'flag'

export interface Config {
  /** Folder that relative paths start from. */
  readonly root: string
  /** The file that was read, or null when everything is a default. */
  readonly file: string | null
  readonly project: string
  readonly environment: Environment
  readonly environmentNames: readonly string[]
  /** Local state: embedded server, warehouse file, keys. Absolute. */
  readonly state: string
  /** Those that the command acts on. */
  readonly tracks: readonly Track[]
  /** All of the project, for what only makes sense as a whole, such as the contract. */
  readonly everyTrack: readonly Track[]
  readonly migrations: Timeouts
  readonly preserve: Preserve
  readonly seeds: string
  readonly analytics: string
  /** What dbt's own files say, where a dbt project is run without a configuration of ours; else null. */
  readonly dbt: DbtSetting | null
  readonly classification: string
  readonly docs: string
  /** A database of the server to rehearse on, as written, before `${NAME}` is expanded; null means the embedded server. */
  readonly rehearseOn: string | null
  /** Databases that `--all` means; null when the configuration names none. */
  readonly fleet: FleetSetting | null
  readonly hooks: readonly HookSetting[]
  readonly lint: LintSetting
  readonly rollups: RollupSetting
  /** Environment variables, with those of `.env` where the process has none of that name. */
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Where each value came from, by dotted path. */
  readonly origins: ReadonlyMap<string, Origin>
}

export interface Environment {
  readonly name: string
  /** Demonstration data may be written to it. */
  readonly seedable: boolean
  /** Destructive commands need more than `--yes`. */
  readonly protected: boolean
}

export interface Track {
  readonly name: string
  readonly engine: string
  /** Absolute folder of migrations. */
  readonly migrations: string
  /** As written, before `${NAME}` is expanded; null means the embedded server. */
  readonly database: string | null
  /** False for a database that is rebuilt from its source: nothing that its migrations destroy is archived. */
  readonly preserve?: boolean | undefined
  /** Absolute paths of SQL that scratch databases run before the first migration. */
  readonly prelude?: readonly string[] | undefined
  /** Values of placeholders in the migrations, as written, before `${NAME}` is expanded. */
  readonly placeholders?: Readonly<Record<string, string>> | undefined
}

export interface Preserve {
  /** For rows that were written between a step and its opposite, where the file says nothing. */
  readonly policy: 'keep' | 'default' | 'fail'
  /** The column that tells the tenant of a row. */
  readonly tenantColumn: string
  /** More is not copied into the archive; 0 sets no limit but the disk. */
  readonly archiveMegabytesMax: number
  /** `archive purge` leaves younger archives alone. */
  readonly retentionDays: number
}

export interface Timeouts {
  readonly lockWaitSeconds: number
  readonly lockTimeoutSeconds: number
  readonly statementTimeoutSeconds: number
  readonly lockRetries: number
  /** A session lock or a leased row; `auto` takes a lease behind a connection pooler. */
  readonly lock: 'auto' | 'session' | 'lease'
  /** How long a lease outlives its last heartbeat. */
  readonly leaseSeconds: number
  /** What happens where another tool has applied files that nobody here knows of. */
  readonly otherHistory: 'refuse' | 'ignore'
}

export interface ConfigFlags extends DbtFlags {
  readonly config?: string | undefined
  readonly env?: string | undefined
  readonly track?: string | undefined
  readonly database?: string | undefined
  readonly dir?: string | undefined
  readonly rehearseOn?: string | undefined
}

const places = ['configs/migrate.yaml', 'configs/migrate.yml', 'plinth.yaml', 'plinth.yml']

/** Loads the configuration that holds for `cwd`. Throws CONFIG_NOT_FOUND, CONFIG_INVALID, ENVIRONMENT_UNKNOWN, TRACK_UNKNOWN. */
export async function loadConfig(
  flags: ConfigFlags,
  cwd: string,
  processVariables: NodeJS.ProcessEnv,
): Promise<Config> {
  const start = flags.projectDir === undefined ? cwd : resolve(cwd, flags.projectDir)
  const file = findFile(flags.config ?? processVariables['PLINTH_CONFIG'], cwd, start)
  const dbt = file === null && flags.dir === undefined ? await dbtSetting(flags, cwd, processVariables) : null
  if (file !== null) refuseProfile(flags, file)
  const root = file ? rootOf(file) : (dbt?.folder ?? cwd)
  const variables = { ...readDotEnv(root), ...processVariables }
  const base = file ? await remember(root, file, () => readBase(file)) : baseOf(dbt)
  const environmentName = flags.env ?? variables['PLINTH_ENV'] ?? base.environment ?? 'local'
  const overlay = await readOverlay(root, environmentName)
  const environmentNames = [...new Set(['local', ...Object.keys(base.environments ?? {})])].sort()
  if (!environmentNames.includes(environmentName) && !overlay)
    throw unknown('ENVIRONMENT_UNKNOWN', 'environment', environmentName, environmentNames)
  const analytics = flags.projectDir === undefined ? undefined : start
  const layers = { root, file, base, overlay: overlay ?? {}, flags, variables, environmentName, environmentNames }
  return merge({ ...layers, dbt, analytics })
}

/** Expands `${NAME}` and `${NAME:-fallback}`. Throws CONFIG_INVALID when a variable without fallback is not set. */
export function expand(text: string, variables: Config['variables'], place: string): string {
  return text.replace(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (_, name: string, fallback: string | undefined) => {
      const value = variables[name] || fallback
      if (value === undefined) {
        throw new PlinthError('CONFIG_INVALID', `The environment variable ${name} is not set, but ${place} needs it.`, {
          hint: place.endsWith('.database')
            ? `Set ${name}, or give --database URL.`
            : `Set ${name}, or write ${place} without it.`,
          at: { object: place },
        })
      }
      return value
    },
  )
}

interface Layers {
  readonly root: string
  readonly file: string | null
  readonly base: ConfigFile
  readonly overlay: OverlayFile
  readonly flags: ConfigFlags
  readonly variables: Config['variables']
  readonly environmentName: string
  readonly environmentNames: readonly string[]
  readonly dbt: DbtSetting | null
  /** The analytics project that the command line names. */
  readonly analytics: string | undefined
}

function merge(layers: Layers): Config {
  const { root, file, base, overlay, flags, variables, environmentName, environmentNames, dbt, analytics } = layers
  const origins = new Map<string, Origin>()
  const pick = <T>(
    path: string,
    fallback: T,
    fromFile: T | undefined,
    fromOverlay: T | undefined,
    fromVariable?: T,
    fromFlag?: T,
  ): T => {
    const layers: readonly (readonly [Origin, T | undefined])[] = [
      ['flag', fromFlag],
      ['environment variable', fromVariable],
      ['environment file', fromOverlay],
      ['file', fromFile],
    ]
    const found = layers.find(([, value]) => value !== undefined)
    origins.set(path, found?.[0] ?? 'default')
    return found?.[1] ?? fallback
  }
  const path = (
    name: 'state' | 'seeds' | 'analytics' | 'classification' | 'docs',
    fallback: string,
    variable?: string,
  ) => absolute(root, pick(name, fallback, base[name], overlay[name], variable))
  const seconds = (name: Exclude<keyof Timeouts, 'lock' | 'otherHistory'>, fallback: number) =>
    pick(`migrations.${name}`, fallback, base.migrations?.[name], overlay.migrations?.[name])
  const declared = base.environments?.[environmentName]
  for (const [key, origin] of lintOrigins(base.lint, overlay.lint)) origins.set(key, origin)
  for (const [key, origin] of rollupOrigins(base.rollups, overlay.rollups)) origins.set(key, origin)
  origins.set(
    'environment',
    flags.env ? 'flag' : variables['PLINTH_ENV'] ? 'environment variable' : base.environment ? 'file' : 'default',
  )
  const config = {
    root,
    file,
    project: pick('project', 'plinth', base.project, overlay.project),
    environment: {
      name: environmentName,
      seedable: pick('environment.seedable', environmentName === 'local', declared?.seedable, overlay.seedable),
      protected: pick('environment.protected', false, declared?.protected, overlay.protected),
    },
    environmentNames,
    state: path('state', '.plinth', variables['PLINTH_STATE']),
    migrations: {
      lockWaitSeconds: seconds('lockWaitSeconds', 60),
      lockTimeoutSeconds: seconds('lockTimeoutSeconds', 5),
      statementTimeoutSeconds: seconds('statementTimeoutSeconds', 900),
      lockRetries: seconds('lockRetries', 10),
      lock: pick('migrations.lock', 'auto', base.migrations?.lock, overlay.migrations?.lock),
      leaseSeconds: seconds('leaseSeconds', 30),
      otherHistory: pick(
        'migrations.otherHistory',
        'refuse',
        base.migrations?.otherHistory,
        overlay.migrations?.otherHistory,
      ),
    },
    preserve: {
      policy: pick('preserve.policy', 'keep', base.preserve?.policy, overlay.preserve?.policy),
      tenantColumn: pick(
        'preserve.tenantColumn',
        'organization_id',
        base.preserve?.tenantColumn,
        overlay.preserve?.tenantColumn,
      ),
      archiveMegabytesMax: pick(
        'preserve.archiveMegabytesMax',
        0,
        base.preserve?.archiveMegabytesMax,
        overlay.preserve?.archiveMegabytesMax,
      ),
      retentionDays: pick('preserve.retentionDays', 30, base.preserve?.retentionDays, overlay.preserve?.retentionDays),
    },
    seeds: path('seeds', 'db/seeds/operational'),
    analytics: analytics ?? path('analytics', 'analytics'),
    dbt,
    classification: path('classification', 'configs/data-classification.yml'),
    docs: path('docs', 'db/docs'),
    rehearseOn: pick<string | null>(
      'rehearseOn',
      null,
      base.rehearseOn,
      overlay.rehearseOn,
      variables['PLINTH_REHEARSE_ON'] || undefined,
      flags.rehearseOn,
    ),
    fleet: readFleet(base.fleet, overlay.fleet),
    hooks: readHooks(root, base.hooks, overlay.hooks),
    lint: readLint(root, base.lint, overlay.lint),
    rollups: readRollups(base.rollups, overlay.rollups),
    variables,
    origins,
  }
  const everyTrack = tracksOf(config.state, { root, base, overlay, flags, variables }, pick)
  return { ...config, everyTrack, tracks: chosen(everyTrack, flags) }
}

type Pick = <T>(
  path: string,
  fallback: T,
  fromFile: T | undefined,
  fromOverlay: T | undefined,
  fromVariable?: T,
  fromFlag?: T,
) => T

function tracksOf(state: string, { root, base, overlay, flags, variables }: Pick2, pick: Pick): Track[] {
  if (flags.dir !== undefined) return [folderTrack(flags.dir, flags)]
  const defaults: Readonly<Record<string, Omit<Track, 'name'>>> = {
    operational: { engine: 'postgres', migrations: 'db/migrations/operational', database: null },
    analytics: {
      engine: 'duckdb',
      migrations: 'db/migrations/analytics',
      database: `duckdb:${join(state, 'warehouse.duckdb')}`,
    },
  }
  const urls: Readonly<Record<string, string | undefined>> = {
    operational: variables['DATABASE_URL'] || undefined,
    analytics: variables['WAREHOUSE_URL'] || undefined,
  }
  const names = Object.keys(base.tracks ?? overlay.tracks ?? defaults)
  if (flags.track !== undefined && !names.includes(flags.track))
    throw unknown('TRACK_UNKNOWN', 'track', flags.track, names)
  return names.map(name => {
    const file = base.tracks?.[name]
    const local = overlay.tracks?.[name]
    const usual = defaults[name] ?? { engine: 'postgres', migrations: `db/migrations/${name}`, database: null }
    const flagged =
      flags.database !== undefined && (flags.track === name || (flags.track === undefined && name === names[0]))
        ? flags.database
        : undefined
    return {
      name,
      engine: pick(`tracks.${name}.engine`, usual.engine, file?.engine, local?.engine),
      migrations: absolute(
        root,
        pick(`tracks.${name}.migrations`, usual.migrations, file?.migrations, local?.migrations),
      ),
      database: pick<string | null>(
        `tracks.${name}.database`,
        usual.database,
        file?.database,
        local?.database,
        urls[name],
        flagged,
      ),
      preserve: pick(`tracks.${name}.preserve`, true, file?.preserve, local?.preserve),
      prelude: [pick(`tracks.${name}.prelude`, [], file?.prelude, local?.prelude)]
        .flat()
        .map(one => absolute(root, one)),
      placeholders: pick(
        `tracks.${name}.placeholders`,
        {},
        file?.placeholders,
        local?.placeholders && { ...file?.placeholders, ...local.placeholders },
      ),
    }
  })
}

/** A database named on the command line is one database: acting on another track's as well would surprise. */
function chosen(tracks: readonly Track[], flags: ConfigFlags): readonly Track[] {
  if (flags.track === undefined && flags.database === undefined) return tracks
  const name = flags.track ?? tracks[0]?.name
  return flags.dir === undefined ? tracks.filter(track => track.name === name) : tracks
}

interface Pick2 {
  readonly root: string
  readonly base: ConfigFile
  readonly overlay: OverlayFile
  readonly flags: ConfigFlags
  readonly variables: Config['variables']
}

/** A folder of one's own: that folder alone, against `--database`. */
function folderTrack(dir: string, flags: ConfigFlags): Track {
  const scheme = /^([a-z0-9+]+):/i.exec(flags.database ?? '')?.[1]
  const engine = scheme === 'duckdb' || scheme === 'bigquery' ? scheme : 'postgres'
  return {
    name: flags.track ?? (engine === 'postgres' ? 'operational' : 'analytics'),
    engine,
    migrations: resolve(dir),
    database: flags.database ?? '${DATABASE_URL}',
  }
}

async function dbtSetting(flags: ConfigFlags, cwd: string, variables: NodeJS.ProcessEnv): Promise<DbtSetting | null> {
  const folder = findDbtProject(flags.projectDir, cwd, variables)
  return folder === null ? null : (await import('./dbt.ts')).readDbtSetting(folder, flags, cwd, variables)
}

/** What the files of a dbt project say, in the words of a configuration. */
function baseOf(dbt: DbtSetting | null): ConfigFile {
  if (dbt === null) return { version: 1 }
  const { project, folder, engine, url } = dbt
  return { version: 1, project, analytics: folder, tracks: { analytics: { engine, database: url } } }
}

/** A configuration says which warehouse is meant, and two answers would be one too many. */
function refuseProfile(flags: ConfigFlags, file: string): void {
  const flag = (['profilesDir', 'profile', 'target'] as const).find(one => flags[one] !== undefined)
  if (flag === undefined) return
  const written = `--${flag === 'profilesDir' ? 'profiles-dir' : flag}`
  throw new PlinthError('USAGE', `${written} is for a dbt project without a configuration, and there is one.`, {
    at: { file },
    hint: 'The configuration names the warehouse: choose one of its environments with --env, or give --track analytics --database URL.',
  })
}

async function readOverlay(root: string, name: string): Promise<OverlayFile | undefined> {
  const file = ['yaml', 'yml'].map(ending => join(root, 'configs/environments', `${name}.${ending}`)).find(existsSync)
  if (!file) return undefined
  return remember(root, file, async () => {
    const { overlayShape } = await import('./schema.ts')
    return (await readYaml(file, overlayShape, 'CONFIG_INVALID', 'environment')).value
  })
}

async function readBase(file: string): Promise<ConfigFile> {
  const { configShape } = await import('./schema.ts')
  return (await readYaml(file, configShape, 'CONFIG_INVALID', 'configuration')).value
}

function findFile(named: string | undefined, cwd: string, start: string): string | null {
  if (named !== undefined) {
    const file = resolve(cwd, named)
    if (existsSync(file)) return file
    throw new PlinthError('CONFIG_NOT_FOUND', `There is no configuration file "${named}".`, {
      at: { file },
      hint: 'Check the path given with --config or PLINTH_CONFIG.',
    })
  }
  for (let folder = start; ; folder = dirname(folder)) {
    const file = places.map(place => join(folder, place)).find(existsSync)
    if (file) return file
    if (dirname(folder) === folder) return null
  }
}

function rootOf(file: string): string {
  const folder = dirname(file)
  return folder.endsWith('configs') ? dirname(folder) : folder
}

function readDotEnv(root: string): Record<string, string | undefined> {
  const file = join(root, '.env')
  return existsSync(file) ? { ...parseEnv(readFileSync(file, 'utf8')) } : {}
}

function absolute(root: string, path: string): string {
  return isAbsolute(path) ? path : join(root, path)
}

function unknown(
  code: 'ENVIRONMENT_UNKNOWN' | 'TRACK_UNKNOWN',
  noun: string,
  name: string,
  known: readonly string[],
): PlinthError {
  const guess = nearest(name, known)
  return new PlinthError(code, `There is no ${noun} "${name}".`, {
    hint: guess ? `Did you mean "${guess}"?` : `Known: ${known.join(', ')}.`,
  })
}
