/** The rows behind a quarantined cell: which are late, which changed and which are gone, told by their keys. */
import type { Row, Session } from '../../engines/engine.ts'
import { spellingOf } from '../run/cells.ts'
import { hourAfter } from '../run/plan.ts'
import { type RollupOptions, withDesk, withWarehouse } from '../run/desk.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { isSelected, type Selection } from './quarantine.ts'
import { keyColumns } from './reopen.ts'
import { type Quarantined, readQuarantine } from './seal-ledger.ts'
import { readSealing } from './sealed.ts'
import { rawTable } from '../run/step.ts'

export interface ShownCell extends Quarantined {
  readonly source: string
  readonly rows: readonly LateRow[]
  /** There are more rows than are shown. */
  readonly cut: 'yes' | 'no'
}

export interface LateRow {
  readonly kind: 'late' | 'removed' | 'changed'
  /** The columns of the source's primary key. */
  readonly key: Readonly<Record<string, string>>
  /** Names of the columns that changed. */
  readonly columns: readonly string[]
}

/** Rows of a cell that are compared, and that are shown. */
const comparedMax = 100_000
const shownMax = 1000

/** Looks at the chosen cells that wait. */
export async function showQuarantined(
  project: Project,
  options: RollupOptions & { readonly selection: Selection },
): Promise<ShownCell[]> {
  const shown: ShownCell[] = []
  for (const source of capturedSources(project))
    await withDesk(source, options, desk =>
      withWarehouse(options, async warehouse => {
        const cells = (await readQuarantine(warehouse, sourceKey(source)))
          .filter(({ state }) => state === 'open' || state === 'moving')
          .filter(cell => isSelected(cell, options.selection))
        const { retiredBefore } = await readSealing(source, desk.reader, warehouse)
        for (const cell of cells) {
          const retired = retiredBefore !== null && cell.hour < retiredBefore
          const rows = await rowsOf(source, desk.reader, warehouse, cell, retired ? 'merged' : 'compared')
          shown.push({
            ...cell,
            source: sourceKey(source),
            rows: rows.slice(0, shownMax),
            cut: rows.length > shownMax ? 'yes' : 'no',
          })
        }
      }),
    )
  return shown
}

async function rowsOf(
  source: CapturedSource,
  reader: Session,
  warehouse: Session,
  cell: Quarantined,
  how: 'merged' | 'compared',
): Promise<LateRow[]> {
  const keys = (await keyColumns(reader, source)).map(({ name }) => name)
  const key = (row: Row) => Object.fromEntries(keys.map(name => [name, plain(row[name])]))
  const spelled = (row: Row) => keys.map(name => plain(row[name])).join(' ')
  const live = await sourceRows(source, reader, cell)
  const kept = new Map((await warehouseRows(source, warehouse, cell)).map(row => [spelled(row), row]))
  const rows: LateRow[] = []
  for (const row of live) {
    const other = kept.get(spelled(row))
    kept.delete(spelled(row))
    const columns = other
      ? source.columns.filter(({ name }) => plain(row[name]) !== plain(other[name])).map(({ name }) => name)
      : []
    if (!other || columns.length > 0) rows.push({ kind: other ? 'changed' : 'late', key: key(row), columns })
  }
  // Where the source has dropped its events, those that it does not have are not gone.
  if (how === 'compared') for (const row of kept.values()) rows.push({ kind: 'removed', key: key(row), columns: [] })
  return rows
}

async function sourceRows(source: CapturedSource, reader: Session, { hour, shard }: Quarantined): Promise<Row[]> {
  const { table, timeColumn, shardFunction, organizationColumn } = source.capture
  const { rows } = await reader.query(
    `select ${source.columns.map(({ name }) => `event.${name}`).join(', ')}
     from ${table} as event
     where event.${timeColumn} >= $1 and event.${timeColumn} < $2 and ${shardFunction}(event.${organizationColumn}) = $3
     limit ${comparedMax}`,
    [hour, hourAfter(hour), shard],
  )
  return rows
}

async function warehouseRows(source: CapturedSource, warehouse: Session, { hour, shard }: Quarantined): Promise<Row[]> {
  const { moment, name } = spellingOf(warehouse)
  const { rows } = await warehouse.query(
    `select ${source.columns.map(column => `raw.${name(column.name)}`).join(', ')}
     from ${rawTable(warehouse, source)} as raw
     where raw.bucket_hour = ${moment(hour, 'before all')} and raw.shard = ${shard}
     limit ${comparedMax}`,
  )
  return rows
}

/** A value as both sides write it: decimals without the zeros at their end. */
function plain(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : `${value as string | number | bigint | boolean}`
  return /^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, '') : text
}
