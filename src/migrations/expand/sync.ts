/**
 * The trigger that keeps an old and a new column the same while code of both kinds writes, and the witness of who still writes the old one.
 *
 * The witness is a sequence: its last value is the time of the last old write in milliseconds since 1970, and `is_called` says that there was
 * one. Setting it waits for nobody and lasts even when the writer rolls back, so that no writer is held up and none is overlooked.
 */
import { identifier, literal, qualifiedName, shortName } from './names.ts'

export interface Sync {
  readonly schema: string
  readonly table: string
  readonly column: string
  /** The trigger's work, as statements of PL/pgSQL between `begin` and `return new`. */
  readonly body: string
  /** Also count every update that names the column, whether it changes it or not. */
  readonly countsMentions: boolean
}

export function witnessName({ schema, table, column }: Pick<Sync, 'schema' | 'table' | 'column'>): string {
  return qualifiedName(schema, witnessTable({ table, column }))
}

/** Its bare name. */
export function witnessTable({ table, column }: Pick<Sync, 'table' | 'column'>): string {
  return shortName('plinth_writes', table, column)
}

/** What the other column holds as well need not be kept, and would be out of date when it comes back. */
export function redundantHead(names: readonly string[]): string {
  return `redundant="${names.join(',')}"`
}

/** One statement each. */
export function createSync(sync: Sync): string[] {
  const { schema, table, column, body, countsMentions } = sync
  const witness = witnessName(sync)
  const relation = qualifiedName(schema, table)
  return [
    `-- The last write to ${column} by code that does not know the new way, in milliseconds since 1970; not yet called means none so far.\ncreate sequence ${witness} as bigint minvalue 0`,
    `select setval(${literal(witness)}, ${nowMs}, false)`,
    functionOf(sync, syncName(sync), `${body}\n  return new;`),
    `create trigger ${identifier(shortName('plinth_sync', column))}
before insert or update on ${relation}
for each row execute function ${syncName(sync)}()`,
    ...(countsMentions
      ? [
          functionOf(sync, countName(sync), `  ${noteWrite(sync)}\n  return null;`),
          `create trigger ${identifier(shortName('plinth_writes', column))}
after update of ${identifier(column)} on ${relation}
for each statement execute function ${countName(sync)}()`,
        ]
      : []),
  ]
}

export function dropSync(sync: Sync): string[] {
  const relation = qualifiedName(sync.schema, sync.table)
  const counts = [
    `drop trigger ${identifier(shortName('plinth_writes', sync.column))} on ${relation}`,
    `drop function ${countName(sync)}()`,
  ]
  return [
    ...(sync.countsMentions ? counts : []),
    `drop trigger ${identifier(shortName('plinth_sync', sync.column))} on ${relation}`,
    `drop function ${syncName(sync)}()`,
    `drop sequence ${witnessName(sync)}`,
  ]
}

/** The statement of PL/pgSQL that notes an old write. */
export function noteWrite(sync: Pick<Sync, 'schema' | 'table' | 'column'>): string {
  return `perform setval(${literal(witnessName(sync))}, ${nowMs}, true);`
}

/** Refuses contract while the witness is fresh, or has not watched for long enough while somebody else is there to be watched. */
export function quietChecks(sync: Pick<Sync, 'schema' | 'table' | 'column'>, quietMs: number): string {
  const since = `last_value > ${nowMs} - ${quietMs}`
  return `-- check: ${checkName(sync.column)}_is_not_written_any_more before up
-- Code that writes ${sync.column} the old way ran within the last ${spellMs(quietMs)}: take it out of service, then run this again.
select from ${witnessName(sync)}
where is_called and ${since};

-- check: ${checkName(sync.column)}_was_watched_long_enough before up
-- Other sessions are connected, and ${sync.column} has been watched for less than ${spellMs(quietMs)}: run this again later.
select from ${witnessName(sync)}
where not is_called and ${since}
  and exists (
    select from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and application_name not like 'plinth%'
  );
`
}

/** The head of a check takes a plain word. */
export function checkName(column: string): string {
  return column.replace(/[^\w-]+/g, '_')
}

const nowMs = '(extract(epoch from clock_timestamp()) * 1000)::bigint'

function syncName({ schema, table, column }: Sync): string {
  return qualifiedName(schema, shortName('plinth_sync', table, column))
}

function countName({ schema, table, column }: Sync): string {
  return qualifiedName(schema, shortName('plinth_count', table, column))
}

/** Runs with the owner's rights, since writers need none on the witness. */
function functionOf({ schema }: Sync, name: string, body: string): string {
  return `create function ${name}() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, ${identifier(schema)}, pg_temp
as $plinth$
begin
${body}
end
$plinth$`
}

function spellMs(ms: number): string {
  if (ms % 60_000 === 0) return ms === 60_000 ? 'minute' : `${ms / 60_000} minutes`
  return ms % 1000 === 0 ? `${ms / 1000} seconds` : `${ms} milliseconds`
}
