/**
 * The questions that introspection asks PostgreSQL's catalog, all in one statement: one snapshot, one round trip. Columns that older
 * catalogs lack are read through JSON, which answers null there.
 */

import { columns, constraints, indexes, policies, sequences, tables, triggers, views } from './catalog/relations.ts'
import { comments, database, defaults, owners } from './catalog/remarks.ts'
import type { CatalogRows } from './catalog/rows.ts'
import { amongRelations, ifRoutines, orCompressed, shared } from './catalog/scope.ts'
import { domains, enums, extensions, namespaces, routines } from './catalog/standing.ts'

/**
 * Answers one row with a JSON list for each name of `CatalogRows`. `$1` is a list of schemas, or null for all of the user's own. For `part`, `$2` are the
 * relations and `$3` says whether routines are told as well.
 */
export function catalogQuery(version: number, extent: 'whole' | 'part' = 'whole'): string {
  const lists = Object.entries(parts).map(
    ([name, query]) => `(select coalesce(json_agg(r), '[]') from (${query}) r) as ${name}`,
  )
  const [among, wanted] = extent === 'whole' ? ['', ''] : ['and c.oid = any ($2::oid[])', 'and $3::boolean']
  const text = `${shared}\nselect ${lists.join(',\n')}`
  const compressed = version >= 14 ? "or a.attcompression <> ''" : ''
  return text.replace(amongRelations, among).replaceAll(ifRoutines, wanted).replace(orCompressed, compressed)
}

const parts: Readonly<Record<keyof CatalogRows, string>> = {
  namespaces,
  extensions,
  tables,
  views,
  columns,
  constraints,
  indexes,
  triggers,
  policies,
  enums,
  domains,
  routines,
  sequences,
  comments,
  owners,
  database,
  defaults,
}
