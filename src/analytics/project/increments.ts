/** What a transform says of how rows are added to its table, or of how it keeps what rows were before. */
import { type Place, PlinthError } from '../../errors.ts'
import type { Settings } from './configs.ts'
import type { Increment, Snapshot, SnapshotNames } from './project.ts'
import { isYes, mappingOf, textOf, wordsOf } from './shapes.ts'

/**
 * Null for a microbatch, which is made anew as a whole: its rows follow from its inputs alone, and no lookback is guessed. Throws
 * TRANSFORM_INVALID for a strategy that is not known.
 */
export function incrementOf(name: string, { values, place }: Settings, engine = 'duckdb'): Increment | null {
  const uniqueKey = wordsOf(values['unique_key'])
  const { known, keyed, plain } = strategies[engine] ?? duckdbStrategies
  const given = textOf(values['incremental_strategy']) ?? 'default'
  if (given === 'microbatch') return null
  const usual = uniqueKey.length > 0 ? keyed : plain
  const strategy =
    given === 'default' ? usual : known.find(one => one === given.replace('delete_insert', 'delete+insert'))
  if (!strategy) {
    throw new PlinthError('TRANSFORM_INVALID', `The incremental strategy "${given}" of "${name}" is not supported.`, {
      at: place('incremental_strategy'),
      hint: `Supported on ${engine}: ${[...known, 'microbatch'].join(', ')}; or cells that are replaced exactly, by meta.plinth.`,
    })
  }
  if (strategy === 'insert_overwrite' && textOf(mappingOf(values['partition_by'])['field']) === undefined)
    throw missing(name, 'partition_by', place('incremental_strategy'))
  const change = textOf(values['on_schema_change']) ?? 'ignore'
  const updated = wordsOf(values['merge_update_columns'])
  const full = values['full_refresh']
  return {
    strategy,
    uniqueKey,
    onSchemaChange: schemaChanges.find(one => one === change) ?? 'ignore',
    predicates: wordsOf(values['incremental_predicates'] ?? values['predicates']),
    updated: updated.length > 0 ? updated : null,
    kept: wordsOf(values['merge_exclude_columns']),
    partitions: wordsOf(values['partitions']),
    fullRefresh: full === undefined || full === null ? null : isYes(full) ? 'always' : 'never',
  }
}

interface Strategies {
  readonly known: readonly Increment['strategy'][]
  /** Where nobody says one: with a unique key, and without. */
  readonly keyed: Increment['strategy']
  readonly plain: Increment['strategy']
}

const duckdbStrategies: Strategies = {
  known: ['append', 'delete+insert', 'merge'],
  keyed: 'delete+insert',
  plain: 'append',
}

/** By engine, as dbt's adapters have them. */
const strategies: Readonly<Record<string, Strategies>> = {
  duckdb: duckdbStrategies,
  bigquery: { known: ['merge', 'insert_overwrite'], keyed: 'merge', plain: 'merge' },
}

const schemaChanges = ['ignore', 'fail', 'append_new_columns', 'sync_all_columns'] as const

/** Throws TRANSFORM_INVALID for what a snapshot needs and does not say. */
export function snapshotOf(name: string, { values, place }: Settings, subject: Place): Snapshot {
  const uniqueKey = wordsOf(values['unique_key'])
  if (uniqueKey.length === 0) throw missing(name, 'unique_key', subject)
  const strategy = textOf(values['strategy'])
  const updatedAt = textOf(values['updated_at']) ?? null
  if (strategy !== 'timestamp' && strategy !== 'check') {
    throw new PlinthError('TRANSFORM_INVALID', `The snapshot "${name}" has no strategy that is known.`, {
      at: place('strategy'),
      hint: 'Write strategy: timestamp with updated_at, or strategy: check with check_cols.',
    })
  }
  if (strategy === 'timestamp' && updatedAt === null) throw missing(name, 'updated_at', place('strategy'))
  const given = values['check_cols']
  const checked = given === 'all' ? 'all' : wordsOf(given)
  if (strategy === 'check' && checked.length === 0) throw missing(name, 'check_cols', place('strategy'))
  const deletes = textOf(values['hard_deletes']) ?? (isYes(values['invalidate_hard_deletes']) ? 'invalidate' : 'ignore')
  const hardDeletes = (['ignore', 'invalidate', 'new_record'] as const).find(one => one === deletes)
  if (!hardDeletes)
    throw new PlinthError('TRANSFORM_INVALID', `"${deletes}" is not a way to treat deleted rows.`, {
      at: place('hard_deletes'),
      hint: 'Write ignore, invalidate or new_record.',
    })
  return {
    uniqueKey,
    updatedAt,
    checked: strategy === 'check' ? checked : null,
    hardDeletes,
    validToCurrent: textOf(values['dbt_valid_to_current']) ?? 'null',
    names: namesOf(values['snapshot_meta_column_names']),
  }
}

const snapshotNames: SnapshotNames = {
  dbt_scd_id: 'dbt_scd_id',
  dbt_updated_at: 'dbt_updated_at',
  dbt_valid_from: 'dbt_valid_from',
  dbt_valid_to: 'dbt_valid_to',
  dbt_is_deleted: 'dbt_is_deleted',
}

function namesOf(given: unknown): SnapshotNames {
  const others = Object.entries(mappingOf(given)).flatMap(([key, value]) =>
    key in snapshotNames && typeof value === 'string' ? [[key, value] as const] : [],
  )
  return { ...snapshotNames, ...Object.fromEntries(others) }
}

function missing(name: string, setting: string, at: Place): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', `"${name}" needs "${setting}".`, { at })
}
