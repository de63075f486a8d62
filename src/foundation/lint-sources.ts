/** What a call of lint means: the texts that it judges, in the order of applying, each with those before it. */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import type { Config, Track } from '../config/load.ts'
import { engineNamed } from '../engines/registry.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import type { LintSource } from '../lint/source.ts'
import { loadMigrations } from '../migrations/load.ts'
import { folderOf } from './folder.ts'
import { matchesPattern } from './path-pattern.ts'
import { type Migration, type MigrationFile, type MigrationFolder } from '../migrations/migration.ts'

/** Texts that stand on each other. */
export interface LintGroup {
  /** Null for a folder of no track, and for texts of their own. */
  readonly track: Track | null
  readonly sources: readonly LintSource[]
  /** Nothing is known of what was applied before. */
  readonly alone: boolean
  readonly scope: 'every file' | 'some files'
}

/**
 * Every file of the folder, or those of the versions and repeatables that `judged` names; what is applied comes first, since it was there first, and
 * repeatables come last, as they run.
 */
export function folderGroup(
  folder: MigrationFolder,
  track: Track | null,
  judged: (migration: Migration) => boolean = () => true,
): LintGroup {
  const chosen = folder.migrations.filter(judged)
  const others = folder.migrations.filter(migration => !judged(migration))
  const repeatables = (folder.repeatables ?? []).filter(judged)
  return {
    track,
    alone: false,
    scope: others.length === 0 ? 'every file' : 'some files',
    sources: [
      ...others.flatMap(migration => sourcesOf(migration, new Set())),
      ...chosen.flatMap(migration => sourcesOf(migration, new Set(['up', 'down']))),
      ...repeatables.flatMap(migration => sourcesOf(migration, new Set(['up', 'down']))),
    ],
  }
}

/** The files that were named, each in the folder that it belongs to. Throws FILE_UNREADABLE and FOLDER_NOT_FOUND. */
export async function namedGroups(names: readonly string[], config: Config): Promise<LintGroup[]> {
  const folders = new Map<string, Promise<MigrationFolder | null>>()
  const load = (folder: string) => {
    const known = folders.get(folder) ?? loadIfAny(folder, config)
    folders.set(folder, known)
    return known
  }
  const wanted = new Map<MigrationFolder, Set<string>>()
  const alone: LintSource[] = []
  const groups: LintGroup[] = []
  for (const name of names) {
    const file = resolve(name)
    if (existsSync(file) && statSync(file).isDirectory()) {
      const track = trackOf(file, config)
      groups.push(folderGroup(track ? await folderOf(config, track) : await loadMigrations(file), track))
      continue
    }
    const home = await homeOf(file, load)
    if (home) wanted.set(home, (wanted.get(home) ?? new Set()).add(file))
    else alone.push(lonely(shown(file), await textOf(file)))
  }
  for (const [folder, files] of wanted) groups.push(chosenGroup(folder, files, trackOf(folder.folder, config)))
  for (const source of alone) groups.push({ track: null, alone: true, scope: 'some files', sources: [source] })
  return groups
}

/** The files among them that were added or changed since a commit; without any named, those of the tracks that lint reads. */
export async function changedGroups(
  config: Config,
  { files, since }: { readonly files: readonly string[]; readonly since: string },
  notices: string[],
): Promise<LintGroup[]> {
  const { filesSince } = await import('../lint/since.ts')
  const places = files.length > 0 ? files.map(file => resolve(file)) : await foldersOf(config)
  const [first] = places
  const within = first !== undefined && existsSync(first) && statSync(first).isDirectory() ? first : process.cwd()
  // git answers real paths, and a folder may be reached by a link.
  const real = places.map(place => (existsSync(place) ? { place, real: realpathSync(place) } : { place, real: place }))
  const chosen = [...(await filesSince(within, since))].flatMap(file => {
    const home = real.find(one => file === one.real || file.startsWith(`${one.real}${sep}`))
    return home && file.endsWith('.sql') ? [`${home.place}${file.slice(home.real.length)}`] : []
  })
  if (chosen.length === 0) notices.push(`No migration was added or changed since ${since}.`)
  return namedGroups(chosen.sort(), config)
}

async function foldersOf(config: Config): Promise<string[]> {
  const folders: string[] = []
  for (const track of config.tracks)
    if ((await engineNamed(track.engine)).can.postgresSyntax) folders.push(resolve(track.migrations))
  return folders
}

/** Standard input is a migration behind all there are. */
export async function standardInputGroup(text: string, config: Config): Promise<LintGroup> {
  const track = await firstPostgres(config)
  const folder = track && existsSync(track.migrations) ? await loadIfAny(track.migrations, config) : null
  const known = folder?.migrations.flatMap(migration => sourcesOf(migration, new Set())) ?? []
  return {
    track: folder ? track : null,
    alone: folder === null,
    scope: 'some files',
    sources: [...known, lonely('-', text)],
  }
}

/** Sources whose path a pattern means are only context. Patterns are relative to the project, or to any folder when they have no slash. */
export function withoutIgnored(group: LintGroup, { lint, root }: Config): LintGroup {
  if (lint.ignore.length === 0) return group
  const isIgnored = (path: string) => {
    const near = relative(root, resolve(path))
    return lint.ignore.some(pattern => matchesPattern(pattern.includes('/') ? near : basename(near), pattern))
  }
  return {
    ...group,
    sources: group.sources.map(source => (isIgnored(source.path) ? { ...source, role: 'context' } : source)),
  }
}

function chosenGroup(folder: MigrationFolder, files: ReadonlySet<string>, track: Track | null): LintGroup {
  const last = folder.migrations.findLastIndex(one =>
    [one.up, one.down].some(file => file && files.has(resolve(file.file))),
  )
  const repeatables = (folder.repeatables ?? []).filter(({ up }) => files.has(resolve(up.file)))
  const before = repeatables.length > 0 ? folder.migrations : folder.migrations.slice(0, last + 1)
  const sources = [...before, ...repeatables].flatMap(migration => {
    const named = (file: MigrationFile | null) => file !== null && files.has(resolve(file.file))
    // One file that holds both directions names both.
    const judged = new Set<'up' | 'down'>()
    if (named(migration.up)) judged.add('up')
    if (named(migration.down)) judged.add('down')
    return sourcesOf(migration, judged)
  })
  return { track, alone: false, scope: 'some files', sources }
}

function sourcesOf({ version, slug, up, down }: Migration, judged: ReadonlySet<'up' | 'down'>): LintSource[] {
  const role = (direction: 'up' | 'down') => (judged.has(direction) ? 'judged' : 'context')
  const own = { version, slug }
  const first: LintSource = {
    ...own,
    path: shown(up.file),
    direction: 'up',
    text: up.text,
    opposite: down?.text ?? null,
    role: role('up'),
    ...transactionOf(up),
  }
  if (!down) return [first]
  return [
    first,
    {
      ...own,
      path: shown(down.file),
      direction: 'down',
      text: down.text,
      opposite: up.text,
      role: role('down'),
      ...transactionOf(down),
    },
  ]
}

function transactionOf({ transaction }: MigrationFile): Pick<LintSource, 'transaction'> {
  return transaction ? { transaction } : {}
}

function lonely(path: string, text: string): LintSource {
  const match = /^(\d+)_(.*?)(?:\.(up|down))?\.sql$/.exec(basename(path))
  const direction = match?.[3] === 'down' ? 'down' : 'up'
  return {
    path,
    direction,
    version: match?.[1] ?? null,
    slug: match?.[2] ?? null,
    text,
    opposite: null,
    role: 'judged',
  }
}

/** The folder whose migrations include the file; a layout may keep each migration in a folder of its own. */
async function homeOf(
  file: string,
  load: (folder: string) => Promise<MigrationFolder | null>,
): Promise<MigrationFolder | null> {
  const own = dirname(file)
  // What is above may be the whole disk, so it is only read where a layout would put such a file below its folder.
  const isBelow = /^(migration|up|down)\.sql$|^[VUBR][\d._]*__/i.test(basename(file)) || nested.test(basename(own))
  for (const folder of isBelow ? [own, dirname(own)] : [own]) {
    const loaded = await load(folder)
    const all = [...(loaded?.migrations ?? []), ...(loaded?.repeatables ?? [])]
    if (all.some(one => [one.up, one.down].some(part => part && resolve(part.file) === file))) return loaded
  }
  return null
}

/** Folders of graphile-migrate, and those that are called after a dialect. */
const nested = /^(committed|current|postgres|postgresql|pg|psql|pgsql)$/i

/** A folder that is not one of migrations, or not a whole one, says nothing about a file in it. */
async function loadIfAny(folder: string, config: Config): Promise<MigrationFolder | null> {
  const track = trackOf(folder, config)
  try {
    return track ? await folderOf(config, track) : await loadMigrations(folder)
  } catch (thrown) {
    const { code } = asPlinthError(thrown)
    if (code === 'INTERNAL' || code === 'CONFIG_INVALID') throw thrown
    return null
  }
}

function trackOf(folder: string, config: Config): Track | null {
  return config.everyTrack.find(track => resolve(track.migrations) === resolve(folder)) ?? null
}

export async function firstPostgres(config: Config): Promise<Track | null> {
  for (const track of config.tracks) if ((await engineNamed(track.engine)).can.postgresSyntax) return track
  return null
}

async function textOf(file: string): Promise<string> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new PlinthError('FILE_UNREADABLE', `${shown(file)} cannot be read.`, {
      at: { file },
      hint: 'Check the path; a folder or a file of SQL can be named.',
      cause,
    })
  })
  return new TextDecoder().decode(bytes)
}

function shown(file: string): string {
  const cwd = process.cwd()
  const folder = dirname(file)
  if (lately?.cwd !== cwd || lately.folder !== folder) lately = { cwd, folder, near: join(relative(cwd, folder), 'x') }
  const near = `${lately.near.slice(0, -1)}${basename(file)}`
  return near.startsWith('../../..') || file === cwd ? file : near
}

/** Files of one folder come one after the other, and its way from here is long to find. */
let lately: { readonly cwd: string; readonly folder: string; readonly near: string } | undefined
