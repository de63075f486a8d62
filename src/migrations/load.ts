/** Reads a folder of migrations in whatever layout it has; see layouts/. */
import { join } from 'node:path'
import { PlinthError } from '../errors.ts'
import { chooseDialect } from './layouts/dialect.ts'
import { knownLooks, layoutOf } from './layouts/index.ts'
import type { LayoutName, Listing, Part } from './layouts/layout.ts'
import { type Checksums, listFolder } from './layouts/listing.ts'
import { asMigrations, repeatablesIn, withoutRepeatables } from './layouts/repeatables.ts'
import { refuseUnknown } from './layouts/unknown.ts'
import { checksIn } from './check-files.ts'
import { compareVersions, type Migration, type MigrationFolder, versionKey } from './migration.ts'

export interface LoadOptions {
  /** Name of the engine that the migrations are for, where a folder has several dialects; default `postgres`. */
  readonly dialect?: string | undefined
  /** Spares reading what is only compared; FILE_UNREADABLE comes with the first use of a text then. */
  readonly checksums?: Checksums | undefined
  /** Values of placeholders, before those of the folder's `placeholders.json`. */
  readonly placeholders?: Readonly<Record<string, string>> | undefined
}

/**
 * Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, FILE_NAME_INVALID, LAYOUT_AMBIGUOUS, LAYOUT_UNKNOWN, LAYOUT_UNSUPPORTED, SQL_UNSUPPORTED,
 * VERSION_DUPLICATE, UP_MISSING, CHECKS_WITHOUT_MIGRATION. A missing down is no error here, since a folder that is only looked at may be unfinished; the plan refuses it.
 */
export async function loadMigrations(folder: string, options: LoadOptions = {}): Promise<MigrationFolder> {
  const { listing, warnings } = await chooseDialect(
    await listFolder(folder, options.checksums, new Map(Object.entries(options.placeholders ?? {}))),
    options.dialect ?? 'postgres',
  )
  const versions = withoutRepeatables(listing)
  const layout = await layoutOf(versions)
  const loaded = await layout.load(layout.name === 'flyway' ? listing : versions)
  const beside = await repeatablesIn(listing, layout.name)
  const repeatables = asMigrations([...beside, ...loaded.repeatables])
  const ups = loaded.parts.filter(part => part.direction === 'up')
  const downs = loaded.parts.filter(part => part.direction === 'down')
  assertUnique(folder, ups)
  assertUnique(folder, downs)
  assertUpsExist(folder, layout.name, ups, downs)
  // A folder that nobody claims counts as one of pairs, which is right where it is empty.
  const isEmpty = loaded.parts.length === 0 && repeatables.length === 0
  if (layout.name === 'pairs' && isEmpty) await refuseUnknown(listing, knownLooks, isHome)
  const checks = await checksIn(listing, new Set([...ups, ...repeatables].map(up => versionKey(up.version))))
  const downOf = new Map(downs.map(down => [versionKey(down.version), down.content]))
  const migrations = ups.map(({ version, slug, content, foreignName }): Migration => {
    const down = downOf.get(versionKey(version)) ?? null
    return {
      version,
      slug,
      up: content,
      down,
      checks: checks.get(versionKey(version)) ?? null,
      ...(loaded.upOnly ? { upOnly: true } : {}),
      ...(foreignName === undefined ? {} : { foreignName }),
    }
  })
  return {
    folder,
    layout: layout.name,
    migrations: migrations.sort((a, b) => compareVersions(a.version, b.version)),
    repeatables: repeatables.map(one => ({ ...one, checks: checks.get(one.version) ?? null })),
    warnings: [...warnings, ...loaded.warnings],
  }
}

/** Tools that serve several databases have a folder for each, so one may be named that is a level too high. */
async function isHome(listing: Listing): Promise<boolean> {
  const layout = await layoutOf(listing).catch(() => null)
  return layout !== null && (await layout.claims(listing)).length > 0
}

function assertUnique(folder: string, parts: readonly Part[]): void {
  const seen = new Map<string, Part>()
  for (const part of parts) {
    const other = seen.get(versionKey(part.version))
    if (other) {
      throw new PlinthError('VERSION_DUPLICATE', `${other.name} and ${part.name} have the same version.`, {
        at: { file: join(folder, part.name) },
        hint: 'Give the later one a version of its own.',
        details: { files: [join(folder, other.name), join(folder, part.name)] },
      })
    }
    seen.set(versionKey(part.version), part)
  }
}

function assertUpsExist(folder: string, layout: LayoutName, ups: readonly Part[], downs: readonly Part[]): void {
  const known = new Set(ups.map(up => versionKey(up.version)))
  const lonely = downs.find(down => !known.has(versionKey(down.version)))
  if (!lonely) return
  throw new PlinthError('UP_MISSING', `${lonely.name} has no up file of the same version.`, {
    at: { file: join(folder, lonely.name) },
    hint:
      layout === 'flyway'
        ? `Write V${lonely.version}__${lonely.slug}.sql beside it, or remove it; where it is an up of Refinery, call it so.`
        : `Write ${lonely.version}_${lonely.slug}.up.sql beside it, or remove it.`,
  })
}
