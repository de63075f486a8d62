/** Writes a new migration, numbered and divided as the folder has its own. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PlinthError } from '../errors.ts'
import { type Clock, systemClock } from '../telemetry/event.ts'
import { draftFiles } from './layouts/draft.ts'
import { flywaySettings } from './layouts/flyway-settings.ts'
import { layoutOf } from './layouts/index.ts'
import { listFolder } from './layouts/listing.ts'
import { compareVersions, repeatablePrefix } from './migration.ts'

export interface CreateOptions {
  /** Made when it does not exist. */
  readonly folder: string
  /** Free text, such as `Add owner to orders`. */
  readonly title: string
  /** What the files say; a comment that asks for it by default. */
  readonly content?: { readonly up: string; readonly down: string; readonly checks?: string | undefined } | undefined
  readonly clock?: Clock | undefined
  /** Values of placeholders in the files that are there; see `LoadOptions`. */
  readonly placeholders?: Readonly<Record<string, string>> | undefined
}

export interface Created {
  readonly version: string
  readonly slug: string
  /** Paths; the same where one file holds both. */
  readonly up: string
  readonly down: string
  /** Null when it has none. */
  readonly checks: string | null
}

/** Throws USAGE when the title has no letter or digit. */
export async function createMigration({
  folder,
  title,
  content,
  clock = systemClock,
  placeholders = {},
}: CreateOptions): Promise<Created> {
  const slug = slugOf(title)
  await mkdir(folder, { recursive: true })
  const listing = await listFolder(folder, undefined, new Map(Object.entries(placeholders)))
  const layout = await layoutOf(listing)
  const { parts } = await layout.load(listing)
  const version = nextVersion(parts.map(part => part.version).sort(compareVersions), clock)
  const words = title.trim().replace(/\s+/g, ' ')
  const up =
    content?.up ?? `-- ${words}\n-- What other code needs before this runs, and what it waits for, belongs here.\n\n`
  const down =
    content?.down ??
    `-- Takes back: ${words}\n-- Leaves the database as it was before the up file; say so here if there is nothing to undo.\n\n`
  const files = draftFiles(layout.name, { version, slug, up, down, flyway: await flywaySettings(folder) })
  for (const { path, text } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    // `wx` refuses to write over a file that somebody made in the same moment.
    await writeFile(join(folder, path), text, { flag: 'wx' })
  }
  const paths = files.map(({ path }) => join(folder, path))
  const checks = content?.checks === undefined ? null : join(folder, `${version}_${slug}.checks.sql`)
  if (checks !== null) await writeFile(checks, content?.checks ?? '', { flag: 'wx' })
  return { version, slug, up: paths[0] ?? '', down: paths.at(-1) ?? '', checks }
}

/** Answers its path. Throws USAGE when the title has no letter or digit, and FILE_UNREADABLE where there is one of that name. */
export async function createRepeatable({ folder, title }: Pick<CreateOptions, 'folder' | 'title'>): Promise<string> {
  const file = join(folder, `${repeatablePrefix}${slugOf(title)}.sql`)
  await mkdir(folder, { recursive: true })
  const words = title.trim().replace(/\s+/g, ' ')
  const text = `-- ${words}\n-- Runs behind the versions, and again whenever this file changed: create or replace, or drop what it makes first.\n\n`
  await writeFile(file, text, { flag: 'wx' }).catch((cause: unknown) => {
    throw new PlinthError('FILE_UNREADABLE', `${file} cannot be written.`, {
      at: { file },
      hint: 'Where there is one of that name, change it: the next apply runs it again.',
      cause,
    })
  })
  return file
}

/** `Add owner to Orders!` → `add_owner_to_orders`. */
export function slugOf(title: string): string {
  const slug = title
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .replace(/[^\x20-\x7e]/g, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .trim()
    .replace(/\s+/g, '_')
    .toLowerCase()
    .slice(0, 80)
    .replace(/_+$/, '')
  if (slug !== '') return slug
  throw new PlinthError('USAGE', 'A migration needs a name of letters or digits.', {
    hint: 'plinth new "add owner to orders"',
  })
}

/** The newest version that the folder has decides the form: a minute, a second, a millisecond, or a plain number, of which the last part counts. */
function nextVersion(versions: readonly string[], clock: Clock): string {
  const newest = versions.at(-1)
  // A day and its time that the layout put a dot between.
  const [, day, time] = /^(\d{8})\.(\d{4}|\d{6})$/.exec(newest ?? '') ?? []
  if (day !== undefined) return nextVersion([`${day}${time}`], clock).replace(/^\d{8}/, '$&.')
  if (newest === undefined || newest.length === 12) return nextTime(newest, clock, 12, 60_000)
  if (newest.length === 14) return nextTime(newest, clock, 14, 1000)
  if (/^\d{13}$/.test(newest) && compareVersions(String(clock.now()), newest) > 0) return String(clock.now())
  const [, head = '', last = ''] = /^((?:\d+\.)*)(\d+)$/.exec(newest) ?? []
  return head + String(BigInt(last) + 1n).padStart(last.length, '0')
}

/** The clock's time, or the next free one when the folder is already there: a new migration is always the newest. */
function nextTime(newest: string | undefined, clock: Clock, digits: number, stepMs: number): string {
  const spelled = (ms: number) => new Date(ms).toISOString().replace(/\D/g, '').slice(0, digits)
  const now = clock.now()
  if (newest === undefined || compareVersions(spelled(now), newest) > 0) return spelled(now)
  const newestMs = Date.parse(
    newest.replace(
      /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?$/,
      (_, y, mo, d, h, mi, s = '00') => `${y}-${mo}-${d}T${h}:${mi}:${s}Z`,
    ),
  )
  return Number.isNaN(newestMs) ? String(BigInt(newest) + 1n) : spelled(newestMs + stepMs)
}
