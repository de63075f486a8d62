/** Flyway keeps a row a run of a script, also of undone and failed ones, with a checksum of its lines. */
import { crc32 } from 'node:zlib'
import type { MigrationFile } from '../migration.ts'
import { type Doubt, type ForeignRow, type ForeignTool, unchecked } from './tool.ts'

export const flyway: ForeignTool = {
  name: 'flyway',
  layout: 'flyway',
  table: 'flyway_schema_history',
  columns: ['installed_rank', 'version', 'script', 'checksum', 'success'],
  async read(session, table) {
    const { rows } = await session.query<Row>(
      `select version, type, script, checksum, installed_by, installed_on::timestamptz as at, success
      from ${table}
      order by installed_rank`,
    )
    const applied = new Map<string, ForeignRow>()
    const repeatables = new Map<string, ForeignRow>()
    const schemas: string[] = []
    let baseline: string | null = null
    let doubt: Doubt | null = null
    for (const row of rows) {
      if (row.type === 'SCHEMA') schemas.push(...quotedNames(row.script))
      if (row.version === null && row.type !== 'SCHEMA') keepRepeatable(repeatables, row)
      if (row.version === null || row.type === 'SCHEMA') continue
      if (row.success && doubt?.version === row.version) doubt = null
      if (row.success && row.type.endsWith('BASELINE')) baseline = row.version
      else if (!row.success) doubt = failed(row.version, row.script)
      else if (row.type === 'DELETE' || row.type.startsWith('UNDO')) applied.delete(row.version)
      else applied.set(row.version, rowOf(row, row.version))
    }
    const notices =
      baseline === null ? [] : [`Flyway began at the baseline ${baseline}; the files up to it count as applied.`]
    return {
      applied: [...applied.values()],
      upTo: baseline,
      ...(baseline === null ? {} : { isBaseline: true }),
      schemas,
      doubt,
      repeatables: [...repeatables.values()],
      notices,
    }
  },
}

interface Row {
  readonly version: string | null
  readonly type: string
  readonly script: string
  readonly checksum: number | null
  readonly installed_by: string
  readonly at: string
  readonly success: boolean
}

/** The last success tells what stands; one that failed left nothing. */
function keepRepeatable(repeatables: Map<string, ForeignRow>, row: Row): void {
  const name = /([^/\\]+)\.sql$/.exec(row.script)?.[1]
  if (name === undefined || !row.success) return
  if (row.type === 'DELETE') repeatables.delete(name)
  else repeatables.set(name, rowOf(row, name))
}

function rowOf({ checksum, installed_by, at }: Row, version: string): ForeignRow {
  // Of a repeatable with placeholders it is that of the text which they make.
  const unchanged =
    checksum === null
      ? unchecked
      : (file: MigrationFile) => [file.written ?? file.text, file.text].some(text => checksumOf(text) === checksum)
  return { version, at, by: installed_by, unchanged }
}

/** CRC-32 over the lines without their ends, as a signed number. */
function checksumOf(text: string): number {
  let sum = 0
  for (const line of linesOf(text)) sum = crc32(line, sum)
  return sum | 0
}

/** A line end at the end of the text begins no further line. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/)
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

/** `"app","ops"`, as it writes down which schemas it made. */
function quotedNames(text: string): string[] {
  return [...text.matchAll(/"((?:[^"]|"")+)"/g)].map(match => (match[1] ?? '').replaceAll('""', '"'))
}

function failed(version: string, script: string): Doubt {
  return { version, kind: 'failed up', meaning: `${script} is marked as failed.` }
}
