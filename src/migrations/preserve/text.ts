/** Pieces of SQL text. Names and literals are always quoted, so that no name of a user's can become a statement. */

export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function literal(value: string | number | null): string {
  if (value === null) return 'null'
  return typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`
}

/** A literal of an array of texts. */
export function namesArray(names: readonly string[]): string {
  return `{${names.map(name => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`
}

/** `"a", "b"`, each behind `prefix`. */
export function columnList(names: readonly string[], prefix = ''): string {
  return names.map(name => prefix + ident(name)).join(', ')
}

/** Equality of a key in two relations; its columns are never null. */
export function sameKey(key: readonly string[], left: string, right: string): string {
  return key.map(name => `${left}.${ident(name)} = ${right}.${ident(name)}`).join(' and ')
}

/**
 * A number for the content of a row that depends on neither the order of columns nor on their types, as long as their text is the same.
 * The settings of `plainly` must hold.
 */
export function rowDigest(names: readonly string[], prefix: string): string {
  if (names.length === 0) return '0::bigint'
  return `hashtextextended(row(${columnList(names.toSorted(), prefix)})::text, 0)`
}

/**
 * As {@link rowDigest}, three times as fast, but over the values themselves: it can be compared only between columns of the same types, and not
 * every type has it. Server 14 or newer.
 */
export function valueDigest(names: readonly string[], prefix: string): string {
  return `pg_catalog.hash_record_extended(row(${columnList(names.toSorted(), prefix)}), 0)`
}

/** Rows and an order-independent digest of a relation, as one row. */
export function tableDigest(from: string, names: readonly string[], prefix: string, digestOf = rowDigest): string {
  return `select count(*)::bigint as rows, coalesce(sum(${digestOf(names, prefix)}), 0)::text as digest from ${from}`
}
