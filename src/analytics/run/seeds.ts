/** Files of rows of a project in the warehouse: each is loaded when it changed, as a whole, with the types that dbt would infer. */
import { readFile } from 'node:fs/promises'
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Emit } from '../../telemetry/event.ts'
import { readFingerprints, storeFingerprints } from '../ledger.ts'
import type { Names } from '../project/compile.ts'
import type { Hook, Seed } from '../project/project.ts'
import { spellingOf } from './cells.ts'
import { persistDocs } from './persist-docs.ts'
import { runHooks } from './run-hooks.ts'
import { type SeedColumn, type SeedRows, seedRows } from './seed-rows.ts'
import { besides, makeWay, targetName } from './staging.ts'

export interface SeedingOptions {
  readonly names: Names
  readonly warehouse: Session
  readonly emit: Emit
  readonly runId: string
  /** Loads those as well that did not change. */
  readonly refresh: 'full' | 'as needed'
  readonly signal?: AbortSignal | undefined
}

/** Answers the rows of each table that was loaded. Throws TRANSFORM_INVALID, FILE_UNREADABLE; what came before stands. */
export async function loadSeeds(seeds: readonly Seed[], options: SeedingOptions): Promise<Record<string, number>> {
  const { warehouse } = options
  const loaded: Record<string, number> = {}
  if (seeds.length === 0) return loaded
  const before = await readFingerprints(warehouse)
  for (const seed of seeds) {
    options.signal?.throwIfAborted()
    const key = `seed.${seed.name}`
    const isThere = (await spellingOf(warehouse).kind(warehouse, seed.schema, seed.table)) === 'table'
    if (isThere && options.refresh === 'as needed' && before.get(key) === seed.digest) continue
    const started = performance.now()
    const rows = await load(seed, options)
    await storeFingerprints(warehouse, new Map([[key, seed.digest]]), options.runId)
    const table = `${seed.schema}.${seed.table}`
    loaded[table] = rows
    const durationMs = Math.round(performance.now() - started)
    options.emit({ type: 'rollup.replaced', table, rows, cells: 0, durationMs })
  }
  return loaded
}

async function load(seed: Seed, { names, warehouse }: SeedingOptions): Promise<number> {
  const text = await readFile(seed.file, 'utf8')
  const read = seedRows(text, seed, seed.path)
  const { name: quoted } = spellingOf(warehouse)
  const hooks = (some: readonly Hook[], transaction: Hook['transaction']) =>
    runHooks(
      some.filter(hook => hook.transaction === transaction),
      { names, warehouse, self: seed },
    )
  await hooks(seed.hooks.before, 'outside')
  await warehouse.query(`create schema if not exists ${quoted(seed.schema)}`)
  const replace = async () => {
    await hooks(seed.hooks.before, 'inside')
    await makeWay(warehouse, seed, 'table')
    await fill(warehouse, seed, read)
    await hooks(seed.hooks.after, 'inside')
    await persistDocs(warehouse, seed, 'table')
  }
  if (warehouse.engine.can.transactionalDdl) await withTransaction(warehouse, replace)
  else await replace()
  await hooks(seed.hooks.after, 'outside')
  return read.rows.length
}

/** Rows come as text into a table beside it, and take its place with their types in one statement. */
async function fill(warehouse: Session, seed: Seed, { columns, rows }: SeedRows): Promise<void> {
  const { name: quoted, typeNamed } = spellingOf(warehouse)
  if (columns.length === 0)
    throw new PlinthError('TRANSFORM_INVALID', 'This file has no header.', {
      at: { file: seed.path, line: 1 },
      hint: 'The first line names the columns.',
    })
  const table = targetName(warehouse, seed)
  const typed = columns.map(({ name, type }) => ({ name: quoted(name), type: typeNamed(type) }))
  if (rows.length === 0) {
    await warehouse.query(
      `create or replace table ${table} (${typed.map(({ name, type }) => `${name} ${type}`).join(', ')})`,
    )
    return
  }
  const beside = besides(seed, 'rows')
  const staged = targetName(warehouse, beside)
  await warehouse.query(
    `create or replace table ${staged} (${typed.map(({ name }) => `${name} ${typeNamed('text')}`).join(', ')})`,
  )
  await warehouse.copyIn(`copy ${plainName(warehouse, beside)} from stdin (format csv)`, csvOf(rows))
  const values = typed.map(({ name, type }) => `cast(${name} as ${type}) as ${name}`).join(', ')
  await warehouse
    .query(`create or replace table ${table} as select ${values} from ${staged}`)
    .catch((error: unknown) => refuse(error, seed, columns))
  await warehouse.query(`drop table ${staged}`)
}

/** `copy` of some engines takes names as they are. */
function plainName(warehouse: Session, { schema, table }: { readonly schema: string; readonly table: string }): string {
  const isPlain = [schema, table].every(name => /^[a-z_]\w*$/i.test(name))
  return isPlain && !warehouse.engine.can.statefulSessions
    ? `${schema}.${table}`
    : targetName(warehouse, { schema, table })
}

async function* csvOf(rows: SeedRows['rows']): AsyncGenerator<string> {
  for (let at = 0; at < rows.length; at += 1000) {
    const some = rows.slice(at, at + 1000)
    // A row of one value that is none would be an empty line.
    const written = some.map(row =>
      row.map(value => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(','),
    )
    yield `${written.join('\n')}\n`
  }
}

/** The warehouse quotes the value that does not fit, which is nobody's to print. */
function refuse(error: unknown, seed: Seed, columns: readonly SeedColumn[]): never {
  if (!(error instanceof PlinthError) || !error.code.startsWith('SQL_')) throw error
  const given = columns.filter(({ name }) => seed.columnTypes[name] !== undefined)
  throw new PlinthError(
    'TRANSFORM_INVALID',
    `A value of ${seed.path} does not fit the type of its column: ${given.map(({ name, type }) => `${name} ${type}`).join(', ') || columns.map(({ name, type }) => `${name} ${type}`).join(', ')}.`,
    {
      at: { file: seed.path, line: 1 },
      hint: 'Correct the row, or set column_types in the configuration of the seed.',
    },
  )
}
