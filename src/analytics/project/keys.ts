/** The words that files of a project may use: acted upon, or harmless and passed over. Everything else is refused with its place. */
import { nearest, type Place, PlinthError } from '../../errors.ts'

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Settings of a transform. */
export const modelConfig = {
  acted:
    words(`materialized schema tags meta enabled contract alias database pre_hook post_hook unique_key incremental_strategy
    on_schema_change incremental_predicates predicates merge_update_columns merge_exclude_columns full_refresh
    partition_by cluster_by partition_expiration_days hours_to_expiration kms_key_name labels
    require_partition_filter partitions persist_docs location format options delimiter parquet_read_options
    csv_read_options json_read_options`),
  passed: words(`docs group access description grants event_time begin batch_size lookback concurrent_batches
    on_configuration_change resource_tags copy_partitions indexes index transient unlogged quoting static_analysis node_color
    freshness latest_version deprecation_date table_type sorted_by partitioned_by contract_config
    time_ingestion_partitioning`),
}

/** Settings of a seed. */
export const seedConfig = {
  acted:
    words(`schema tags meta enabled alias database pre_hook post_hook column_types delimiter quote_columns full_refresh
    fast persist_docs`),
  passed: words('docs group access description grants event_time quoting static_analysis materialized'),
}

/** Settings of a snapshot. */
export const snapshotConfig = {
  acted:
    words(`schema tags meta enabled alias database pre_hook post_hook unique_key strategy updated_at check_cols hard_deletes
    invalidate_hard_deletes target_schema target_database dbt_valid_to_current snapshot_meta_column_names materialized
    persist_docs`),
  passed: words('docs group access description grants event_time quoting static_analysis'),
}

/** Settings of a check. */
export const checkConfig = {
  acted:
    words(`severity warn_if error_if fail_calc where limit store_failures store_failures_as schema alias enabled tags
    meta`),
  passed: words('group docs database static_analysis sql_header description'),
}

export const sourceConfig = {
  acted: words(
    'enabled meta tags freshness loaded_at_field loaded_at_query schema identifier database external_location',
  ),
  passed: words('event_time quoting loader description docs formatter'),
}

export const unitTestConfig = { acted: words('enabled tags meta'), passed: words('static_analysis') }

/** Why a word is refused, where more can be said than that it is not known. */
const reasons: Readonly<Record<string, string>> = {
  sql_header: 'A header before the query is not supported: a transform is one query.',
  functions: 'Functions are not supported. Make them in a migration of the warehouse, or write a macro.',
}

/** Keys of `dbt_project.yml`. */
export const projectKeys = words(`name version config-version profile model-paths macro-paths test-paths analysis-paths
  seed-paths snapshot-paths docs-paths asset-paths function-paths target-path clean-targets log-path packages-install-path
  require-dbt-version vars models tests data_tests unit_tests sources analyses exposures flags dispatch quoting query-comment
  macros dbt-cloud restrict-access anchors seeds snapshots on-run-start on-run-end semantic-models saved-queries metrics
  groups`)

export const propertiesKeys = words(
  'version sources models seeds snapshots unit_tests data_tests analyses macros exposures groups anchors metrics semantic_models saved_queries',
)
/** What the properties of a snapshot have more. */
export const snapshotKeys = words('relation')
export const modelKeys = words(`name description docs access config constraints data_tests tests columns meta tags group
  deprecation_date latest_version time_spine primary_entity derived_semantics semantic_model metrics versions`)
export const columnKeys =
  words(`name description meta quote constraints data_tests tests tags data_type config policy_tags
  granularity docs dimension entity`)
export const sourceKeys =
  words(`name description database schema loader loaded_at_field loaded_at_query freshness quoting meta
  tags overrides config tables docs`)
export const tableKeys =
  words(`name description identifier loader loaded_at_field loaded_at_query freshness quoting meta tags
  config columns data_tests tests external docs`)
export const unitTestKeys = words('name description model given expect overrides config tags meta versions')

export interface KnownConfig {
  readonly acted: readonly string[]
  readonly passed: readonly string[]
}

/** Throws TRANSFORM_INVALID for a setting that is refused with a reason, and for one that is nearly one that is known. */
export function refuseConfig(key: string, known: KnownConfig, at: Place): void {
  if (isKnown(key, known)) return
  const all = [...known.acted, ...known.passed]
  // Other tools keep settings of their own among those of dbt, which takes all of them.
  if (reasons[key] === undefined && nearest(key, all) === undefined) return
  throw refused(`The setting "${key}"`, key, all, at, known.acted)
}

function isKnown(key: string, known: KnownConfig): boolean {
  return known.acted.includes(key) || known.passed.includes(key)
}

/** Settings that nobody here knows. */
export function unknownSettings(config: Readonly<Record<string, unknown>>, known: KnownConfig): string[] {
  return Object.keys(config).filter(key => !isKnown(key, known))
}

/** Throws TRANSFORM_INVALID for the first key that is not known. */
export function refuseKeys(
  value: Readonly<Record<string, unknown>>,
  known: readonly string[],
  place: (key: string) => Place,
): void {
  for (const [key, given] of Object.entries(value)) {
    // An empty list of something that is not supported asks for nothing.
    if (known.includes(key) || given === null || (Array.isArray(given) && given.length === 0)) continue
    throw refused(`The key "${key}"`, key, known, place(key), known)
  }
}

function refused(
  what: string,
  key: string,
  known: readonly string[],
  at: Place,
  supported: readonly string[],
): PlinthError {
  const reason = reasons[key]
  const guess = reason === undefined ? nearest(key, known) : undefined
  return new PlinthError('TRANSFORM_INVALID', `${what} is not ${reason === undefined ? 'known' : 'supported'} here.`, {
    at,
    hint: reason ?? (guess ? `Did you mean "${guess}"?` : `Supported: ${supported.join(', ')}.`),
  })
}
