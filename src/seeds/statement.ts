/**
 * The SQL of a seed run. Rows are copied into a temporary stage, which every role may copy into, and reach their table by `insert … select`,
 * which row-level security checks; `copy` into a table with row-level security is refused to ordinary roles.
 */
import type { Source, SourceColumn } from './source.ts'

/** Rows of the stage and of the table that are the same by natural key. A nullable key column makes null equal to null. */
export function matches(key: readonly SourceColumn[]): string {
  return key
    .map(
      column =>
        `target.${name(column.name)} ${column.nullable ? 'is not distinct from' : '='} staged.${name(column.name)}`,
    )
    .join(' and ')
}

/** The stage has the columns' own types and lives as long as the transaction. The time zone is for the digest. */
export function createStage(source: Source): string {
  return `set local timezone to 'UTC';
          create temporary table plinth_stage on commit drop as
          select ${columnList(source)}, null::integer as plinth_row
            from ${qualifiedName(source.table)}
            with no data`
}

export function copyStage(source: Source): string {
  return `copy plinth_stage (${columnList(source)}, plinth_row) from stdin with (format csv)`
}

/** Joins go over the key only. */
export function analyzeStage(source: Source): string {
  return `analyze plinth_stage (${source.key.map(column => name(column.name)).join(', ')})`
}

export function insertMissing(source: Source): string {
  return `insert into ${qualifiedName(source.table)} (${columnList(source)})
          select ${columnList(source, 'staged')}
            from plinth_stage as staged
           where not exists (select from ${qualifiedName(source.table)} as target where ${matches(source.key)})
           order by staged.plinth_row`
}

/** Rows that are there, and those of them that differ. Asked first: on an append-only table even an update of no row is refused. */
export function compare(source: Source): string {
  const changed = difference(source)
  const identities = source.columns
    .filter(column => column.identity)
    .map(column => `target.${name(column.name)} <> staged.${name(column.name)}`)
  return `select count(*) as present,
                 count(*) filter (where ${changed}) as changed,
                 min(staged.plinth_row) filter (where ${identities.join(' or ') || 'false'}) as foreign_row
            from plinth_stage as staged
            join ${qualifiedName(source.table)} as target on ${matches(source.key)}`
}

export function updateChanged(source: Source): string {
  const columns = updatable(source)
  return `update ${qualifiedName(source.table)} as target
             set ${columns.map(column => `${name(column.name)} = staged.${name(column.name)}`).join(', ')}
            from plinth_stage as staged
           where ${matches(source.key)} and (${difference(source)})`
}

export function countAll(table: string): string {
  return `select count(*) as total from ${qualifiedName(table)}`
}

export function columnList(source: Source, alias?: string): string {
  return source.columns.map(column => `${alias ? `${alias}.` : ''}${name(column.name)}`).join(', ')
}

export function qualifiedName(table: string): string {
  return table.split('.').map(name).join('.')
}

export function name(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** Neither the natural key nor an id that derives from it ever changes. */
function updatable(source: Source): readonly SourceColumn[] {
  return source.columns.filter(column => !column.identity && !source.key.includes(column))
}

function difference(source: Source): string {
  const sides = updatable(source).map(column => {
    // The type json has no equality; its binary form has.
    const cast = column.type === 'json' ? '::jsonb' : ''
    return `target.${name(column.name)}${cast} is distinct from staged.${name(column.name)}${cast}`
  })
  return sides.join(' or ') || 'false'
}
