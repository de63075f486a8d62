/** Lint on the project: what is judged, against which declarations, and what a plan is told. */
import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import type { Config, Track } from '../config/load.ts'
import { engineNamed } from '../engines/registry.ts'
import { asPlinthError, PlinthError, type Place } from '../errors.ts'
import type { Baseline } from '../lint/baseline.ts'
import { mergeReports } from '../lint/merge.ts'
import type { LintInput, LintReport } from '../lint/run.ts'
import type { LintSource } from '../lint/source.ts'
import type { MigrationFolder } from '../migrations/migration.ts'
import { type Desk, databaseOf, onDatabase, serverFolder } from './desk.ts'
import { folderOf } from './folder.ts'
import { classesIn } from './lint-classes.ts'
import { today } from './lint-day.ts'
import { rememberReport } from './lint-remember.ts'
import type { Hands } from './lint-share.ts'
import { isSeed, readSeed, seedSources } from './lint-seeds.ts'
import {
  changedGroups,
  folderGroup,
  type LintGroup,
  namedGroups,
  standardInputGroup,
  withoutIgnored,
} from './lint-sources.ts'

export interface LintRequest {
  /** Files and folders; `-` is the text of `standardInput`. Empty means the folders of the tracks. */
  readonly files: readonly string[]
  readonly standardInput?: string | undefined
  /** Of the folders of tracks: what the database has not applied yet, or every file. */
  readonly scope: 'pending' | 'all'
  /** Only files that were added or changed since the branch left this commit. */
  readonly since?: string | undefined
  /** Stands over what the configuration says. */
  readonly rehearsal?: 'required' | 'off' | undefined
  /** Another file than the configuration names; null for none. */
  readonly baseline?: string | null | undefined
  /** Writes the findings to the baseline instead of answering them as open. */
  readonly baselineUpdate?: 'write' | undefined
}

export interface LintRun {
  readonly report: LintReport
  /** The texts that the findings point into. */
  readonly sources: readonly LintSource[]
  /** What people should know about what was judged, one sentence each. */
  readonly notices: readonly string[]
  /** The file that was written. */
  readonly baselineWritten: string | null
  /** `files`: no server, no repository and no standard input had a say. */
  readonly restsOn: 'files' | 'more'
  /** Of Plinth. */
  readonly version: string
}

/** Throws CONFIG_INVALID, what reading files throws, and why there is no rehearsal where one is required. */
export async function lintProject(desk: Desk, request: LintRequest): Promise<LintRun> {
  const { config } = desk
  const notices: string[] = []
  const wish = request.rehearsal ?? config.lint.rehearsal
  const rehearsing = wish === 'off' ? null : await import('./rehearse.ts')
  rehearsing?.knock(desk)
  const hands = wish === 'off' ? await handsFor(config, request) : null
  try {
    return await lintWith(desk, request, { wish, hands, notices })
  } finally {
    hands?.dismiss()
    await rehearsing?.leave(desk)
  }
}

interface Means {
  readonly wish: 'required' | 'preferred' | 'off'
  /** Null where a rehearsal is wanted, which is one hand's work. */
  readonly hands: Hands | null
  readonly notices: string[]
}

async function lintWith(desk: Desk, request: LintRequest, { wish, hands, notices }: Means): Promise<LintRun> {
  const { config } = desk
  const groups = (await groupsOf(desk, request, notices)).map(group => withoutIgnored(group, config))
  const baseline = await readBaselineIfAny(config, request)
  if (groups.length === 0) await declarations(config)
  const kept = request.baselineUpdate ? null : baseline
  const seeds = await seedsOf(config, request)
  const reports: LintReport[] = seeds.length > 0 ? [await judgeSeeds(desk, seeds, kept)] : []
  const standing = await leftOf(kept, reports)
  // A baseline is one for all groups, and only the last can tell what nobody found.
  for (const group of groups) {
    const scope = groups.length === 1 ? group.scope : 'some files'
    const judge = () => judgeGroup(desk, group, { scope, baseline: standing, wish, hands })
    const asked = {
      sources: group.sources,
      declared: [
        desk.version,
        config.lint,
        classificationText(config),
        standing?.text,
        standing?.file,
        scope,
        group.alone,
      ],
      today: today(),
    }
    reports.push(wish === 'off' ? await rememberReport(config, asked, judge) : await judge())
  }
  const report = mergeReports(reports)
  const sources = [...groups.flatMap(group => group.sources), ...seeds]
  const baselineWritten = request.baselineUpdate ? await updateBaseline(config, request, report, sources) : null
  const restsOn = wish === 'off' && isAboutFiles(request) ? 'files' : 'more'
  return { report, sources, notices, baselineWritten, restsOn, version: desk.version }
}

/** Threads come while the texts are read. */
async function handsFor({ tracks }: Config, { files }: LintRequest): Promise<Hands> {
  const { callHands } = await import('./lint-share.ts')
  return callHands(files.length > 0 ? files : tracks.map(track => track.migrations))
}

/** What is pending is told by a database, and what changed by a repository. */
function isAboutFiles({ files, scope, since, baselineUpdate }: LintRequest): boolean {
  const named = scope === 'all' || files.length > 0
  return named && !files.includes('-') && since === undefined && baselineUpdate === undefined
}

/** Seeds belong to the project, so a call that names other files or a commit is not about them. */
async function seedsOf(config: Config, { files, since }: LintRequest): Promise<LintSource[]> {
  const named = files.filter(file => isSeed(config, file))
  return since === undefined && (files.length === 0 || named.length > 0) ? seedSources(config, named) : []
}

async function judgeSeeds(desk: Desk, sources: readonly LintSource[], baseline: Baseline | null): Promise<LintReport> {
  const { config, version } = desk
  const declared = [version, 'seeds', config.lint, classificationText(config), baseline?.text]
  return rememberReport(config, { sources, declared, today: today() }, async () => {
    const { lintSeeds } = await import('../lint/seeds.ts')
    const { classOf, severities } = await declarations(config)
    return lintSeeds({ seeds: await Promise.all(sources.map(readSeed)), classOf, severities, baseline })
  })
}

async function leftOf(baseline: Baseline | null, reports: readonly LintReport[]): Promise<Baseline | null> {
  if (!baseline || reports.length === 0) return baseline
  const { withoutUsed } = await import('../lint/baseline.ts')
  return withoutUsed(
    baseline,
    reports.flatMap(report => report.findings),
  )
}

async function judgeGroup(
  desk: Desk,
  { sources, alone, track }: LintGroup,
  asked: Pick<LintInput, 'scope' | 'baseline'> & Pick<Means, 'wish' | 'hands'>,
): Promise<LintReport> {
  const { config } = desk
  const declared = await declarations(config)
  const { settings, severities } = declared
  const classification = existsSync(config.classification) ? config.classification : null
  const share = asked.hands?.begin(sources, { settings, severities, classification, today: today() })
  const { lint } = await import('../lint/run.ts')
  const { openReader } = await import('./lint-read.ts')
  return lint({
    ...declared,
    sources,
    today: today(),
    baseline: asked.baseline,
    scope: asked.scope,
    rehearse: asked.wish === 'off' ? null : (await import('./lint-rehearse.ts')).rehearseOf(desk, asked.wish, track),
    read: await openReader(),
    past: alone ? 'unknown' : 'known',
    share,
  })
}

function classificationText({ classification }: Config): string | null {
  return existsSync(classification) ? readFileSync(classification, 'utf8') : null
}

type Declared = Pick<LintInput, 'settings' | 'classOf' | 'severities'>

/** What the project declares, in the words of lint. */
export async function declarations(config: Config): Promise<Declared> {
  const { settingsOf, severitiesOf } = await import('../lint/settings.ts')
  const severities = await severitiesOf(config.lint.rules, rule => placeOfRule(config, rule))
  const classified = existsSync(config.classification)
  return {
    settings: settingsOf({ ...config.lint.settings, classified }),
    severities,
    classOf: await classesIn(classified ? config.classification : null),
  }
}

/** The line that names the rule, in the file or in that of the environment. */
function placeOfRule({ file, root, environment }: Config, rule: string): Place | undefined {
  const overlays = ['yaml', 'yml'].map(ending => `${root}/configs/environments/${environment.name}.${ending}`)
  for (const candidate of [file, ...overlays]) {
    if (candidate === null || !existsSync(candidate)) continue
    const source = readFileSync(candidate, 'utf8')
    const line = source.split('\n').findIndex(row => row.trimStart().replace(/^["']/, '').startsWith(rule))
    if (line !== -1) return { file: candidate, line: line + 1, source }
  }
  return undefined
}

async function groupsOf(desk: Desk, request: LintRequest, notices: string[]): Promise<LintGroup[]> {
  const { config } = desk
  const { files, standardInput, since } = request
  if (since !== undefined) return changedGroups(config, { files, since }, notices)
  const named = files.filter(file => file !== '-' && !isSeed(config, file))
  const groups = named.length > 0 ? await namedGroups(named, config) : []
  if (files.includes('-')) groups.push(await standardInputGroup(standardInput ?? '', config))
  if (files.length > 0) return groups
  for (const track of config.tracks) {
    const engine = await engineNamed(track.engine)
    if (!engine.can.postgresSyntax) {
      notices.push(`The track ${track.name} is not PostgreSQL’s, so it is not linted.`)
      continue
    }
    const folder = await folderOf(config, track)
    for (const warning of folder.warnings) notices.push(warning)
    const applied = request.scope === 'all' ? null : await appliedVersions(desk, { track, folder }, request, notices)
    if (applied === null) {
      groups.push(folderGroup(folder, track))
      continue
    }
    const { versionKey } = await import('../migrations/migration.ts')
    const group = folderGroup(folder, track, one => !applied.has(versionKey(one.version)))
    const pending = folder.migrations.filter(one => !applied.has(versionKey(one.version))).length
    if (pending < folder.migrations.length)
      notices.push(
        `${track.name}: ${pending} of ${folder.migrations.length} migrations are pending; --all lints every one.`,
      )
    groups.push(group)
  }
  return groups
}

/** With the repeatables that are up to date. Null where no database is at hand, so nobody knows what is applied. */
async function appliedVersions(
  desk: Desk,
  { track, folder }: { readonly track: Track; readonly folder: MigrationFolder },
  request: LintRequest,
  notices: string[],
): Promise<ReadonlySet<string> | null> {
  const { readStanding } = await import('../migrations/history.ts')
  const { versionKey } = await import('../migrations/migration.ts')
  if (!(await isAtHand(desk, track, request))) return null
  try {
    const database = await databaseOf(desk, track)
    const { history, repeatables } = await onDatabase(desk, database, session => readStanding(session, track.name))
    const { isDue } = await import('../migrations/repeat-due.ts')
    const known = new Map(repeatables.map(one => [one.version, one]))
    const standing = (folder.repeatables ?? []).filter(one => !isDue(one, known.get(one.version) ?? null))
    const applied = history.filter(one => one.state === 'applied')
    return new Set([...applied, ...standing].map(one => versionKey(one.version)))
  } catch (thrown) {
    const error = asPlinthError(thrown)
    // Whoever names a database wants to hear that it is not there; one of the environment is only a help.
    if (error.exitStatus !== 7 || desk.config.origins.get(`tracks.${track.name}.database`) === 'flag') throw error
    notices.push(`${error.message} What is pending is not known, so every file is linted.`)
    return null
  }
}

/** A server that would have to be made or started for this alone has nothing to say. */
async function isAtHand({ config }: Desk, track: Track, { rehearsal }: LintRequest): Promise<boolean> {
  if (track.database !== null) {
    const names = [...track.database.matchAll(/\$\{([A-Za-z_]\w*)\}/g)].map(([, name = '']) => name)
    return names.every(name => config.variables[name])
  }
  const { embeddedStatus } = await import('../engines/postgres/embedded.ts')
  const status = await embeddedStatus({ folder: serverFolder(config) })
  return status !== null && (status.running || (rehearsal ?? config.lint.rehearsal) !== 'off')
}

/** The baseline that the project keeps, if it does. */
export async function baselineOf(config: Config): Promise<Baseline | null> {
  return readBaselineIfAny(config, {})
}

async function readBaselineIfAny(
  config: Config,
  { baseline, baselineUpdate }: Pick<LintRequest, 'baseline' | 'baselineUpdate'>,
): Promise<Baseline | null> {
  if (baseline === null) return null
  const file = baseline ?? config.lint.baseline
  if (!existsSync(file)) {
    if (baseline === undefined || baselineUpdate) return null
    throw new PlinthError('CONFIG_NOT_FOUND', `There is no baseline "${baseline}".`, {
      at: { file },
      hint: 'Write one with `plinth lint --all --update-baseline`.',
    })
  }
  const { readBaseline } = await import('../lint/baseline.ts')
  return readBaseline(near(file), await readFile(file, 'utf8'))
}

async function updateBaseline(
  config: Config,
  { baseline }: LintRequest,
  report: LintReport,
  sources: readonly LintSource[],
): Promise<string> {
  const { writeBaseline } = await import('../lint/baseline.ts')
  const file = baseline ?? config.lint.baseline
  await writeFile(file, writeBaseline(report.findings, sources))
  return near(file)
}

function near(file: string): string {
  const path = relative(process.cwd(), file)
  return path.startsWith('..') ? file : path
}
