import type { OnTrack } from '../../foundation/desk.ts'
import type { ErasureReport, PurgeReport, ShelvedArchive } from '../../migrations/preserve/shelf.ts'
import type { RestoreReport } from '../../migrations/preserve/store.ts'
import { type CommandSpec, text, wholeNumber } from '../command.ts'
import { count, paint, table } from '../print.ts'

export const archiveList: CommandSpec = {
  name: 'archive list',
  summary: 'what migrations destroyed and the archive holds',
  description:
    'One line an archive: the step that destroyed, what became of it, and how much room it takes. An archive is "kept" until the opposite step has run; "leftover" means that some rows could not go back.',
  group: 'migrations',
  examples: ['plinth archive list', 'plinth archive list --track operational --json'],
  async run({ foundation }) {
    const tracks = await foundation.archives()
    return {
      data: { tracks: tracks.map(({ track, address, result }) => ({ track, address, archives: result })) },
      text: tracks.map(describeList).join('\n\n') || 'No track here keeps an archive.',
    }
  },
}

export const archiveShow: CommandSpec = {
  name: 'archive show',
  summary: 'what one archive holds, by table and column, never by value',
  group: 'migrations',
  arguments: [{ name: '<id>', description: 'the archive, or the beginning of its id' }],
  examples: ['plinth archive show 4f9d'],
  async run({ foundation, arguments: [id = ''] }) {
    const archive = await foundation.archive(id)
    return { data: archive, text: describeArchive(archive) }
  },
}

export const archiveRestore: CommandSpec = {
  name: 'archive restore',
  summary: 'bring back what is left of an archive, into the tables as they are now',
  description:
    'For rows that the opposite step could not bring back, such as those whose reference was gone. Rows whose key is taken get their archived values; everything else stays as it is. What still does not fit stays in the archive.',
  group: 'migrations',
  arguments: [{ name: '<id>', description: 'the archive, or the beginning of its id' }],
  examples: ['plinth archive restore 4f9d --yes'],
  async run(context) {
    const [id = ''] = context.arguments
    const archive = await context.foundation.archive(id)
    await context.confirm({
      consequence: `What is left of the archive of ${archive.version}_${archive.slug} will be written back.`,
      name: archive.version,
    })
    const reports = await context.foundation.restoreArchive(archive.id)
    return {
      data: { id: archive.id, objects: reports },
      text: reports.map(describeRestore).join('\n') || 'Nothing was left in it.',
    }
  },
}

export const archivePurge: CommandSpec = {
  name: 'archive purge',
  summary: 'let go of archives, or of one tenant in all of them',
  description:
    'Removes archives whose opposite step has run and that are older than the retention of the configuration. What the opposite of an applied step still needs stays, unless its version is named. With --tenant, the rows of one tenant go from every archive, needed or not.',
  group: 'migrations',
  arguments: [{ name: '[id...]', description: 'only these archives, whatever their age' }],
  options: [
    { flags: '--version-of <version>', description: 'all archives of this version, also those that are still needed' },
    { flags: '--older-than <days>', description: 'instead of the retention of the configuration' },
    { flags: '--tenant <id>', description: 'the rows of this tenant, from every archive' },
  ],
  examples: [
    'plinth archive purge --yes',
    'plinth archive purge --version-of 202611010930 --track operational',
    'plinth archive purge --tenant 0198c0de-0000-7000-8000-000000000001 --yes',
  ],
  async run(context) {
    const tenant = text(context, 'tenant')
    if (tenant !== undefined) {
      await context.confirm({ consequence: 'The rows of this tenant go from every archive for good.', name: tenant })
      const tracks = await context.foundation.eraseFromArchives(tenant)
      return {
        data: { tracks: tracks.map(({ track, address, result }) => ({ track, address, erased: result })) },
        text: tracks.map(describeErasure).join('\n'),
      }
    }
    const version = text(context, 'versionOf')
    const ids = context.arguments.length > 0 ? context.arguments : undefined
    await context.confirm({
      consequence:
        version === undefined
          ? 'Archives that no step needs any more go for good.'
          : `Everything that migration ${version} destroyed goes for good, also what its opposite would bring back.`,
      name: version ?? context.foundation.config.environment.name,
    })
    const olderThanDays = wholeNumber(context, 'olderThan')
    const tracks = await context.foundation.purgeArchives({ ids, version, olderThanDays })
    return {
      data: { tracks: tracks.map(({ track, address, result }) => ({ track, address, purge: result })) },
      text: tracks.map(describePurge).join('\n'),
    }
  },
}

function describeList({ track, address, result }: OnTrack<ShelvedArchive[]>): string {
  const total = result.reduce((sum, archive) => sum + archive.bytes, 0)
  const rows = result.map(archive => [
    archive.id.slice(0, 8),
    archive.version,
    archive.slug,
    archive.direction,
    archive.status,
    archive.createdAt.slice(0, 19),
    size(archive.bytes),
    archive.objects.map(({ kind, source }) => `${kind} ${source.replaceAll('"', '')}`).join(', '),
  ])
  return [
    `${paint.bold(track)} on ${address}: ${count(result.length, 'archive')}, ${size(total)}.`,
    table(['id', 'version', 'name', 'step', 'status', 'since', 'size', 'holds'], rows),
  ]
    .filter(Boolean)
    .join('\n')
}

function describeArchive(archive: ShelvedArchive): string {
  const rows = archive.objects.map(({ kind, source, detail, rowsEstimated, bytes }) => [
    kind,
    source.replaceAll('"', ''),
    detail.columns.map(column => `${column.name} ${column.type}`).join(', '),
    detail.key?.join(', ') ?? (kind === 'sequence' ? '' : 'whole row'),
    String(Math.round(rowsEstimated)),
    size(bytes),
  ])
  const dependents = [...new Set(archive.objects.flatMap(object => object.detail.dependents ?? []))]
  return [
    `${paint.bold(archive.id)}: ${archive.version}_${archive.slug} ${archive.direction}, ${archive.status}, since ${archive.createdAt}, ${size(archive.bytes)}.`,
    table(['kind', 'from', 'columns', 'key', 'rows (about)', 'size'], rows),
    dependents.length === 0 ? '' : `Went with it: ${dependents.join(', ')}.`,
    ...(archive.report ?? []).map(describeRestore),
  ]
    .filter(Boolean)
    .join('\n')
}

function describeRestore({ source, restored, kept, defaulted, orphaned, unmatched }: RestoreReport): string {
  return `${source.replaceAll('"', '')}: ${restored} restored, ${kept} kept, ${defaulted} defaulted, ${orphaned} orphaned, ${unmatched} unmatched.`
}

function describeErasure({ track, result }: OnTrack<ErasureReport>): string {
  return [
    `${paint.bold(track)}: ${count(result.rows, 'row')} of the tenant erased.`,
    ...result.untold.map(({ archiveId, source }) =>
      paint.yellow(`! The archive ${archiveId} holds rows of ${source.replaceAll('"', '')} that name no tenant.`),
    ),
  ].join('\n')
}

function describePurge({ track, result }: OnTrack<PurgeReport>): string {
  const needed =
    result.needed.length === 0
      ? ''
      : ` ${count(result.needed.length, 'archive')} stay, since the opposite step needs them.`
  return `${paint.bold(track)}: ${count(result.purged.length, 'archive')} purged, ${size(result.bytes)} free.${needed}`
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}
