/**
 * A type that is dropped must not take archived columns with it: those become text, which restoring reads back. A collation that is dropped does not
 * matter to values, so archived columns go on without.
 */
import type { Session } from '../../engines/engine.ts'
import { archiveSchema } from './store.ts'
import { literal } from './text.ts'

/** Names are quoted. `null` for types means every type that is not the server's own. */
export async function releaseTypes(
  session: Session,
  which: { readonly kind: 'schema' | 'type' | 'any'; readonly names: readonly string[] },
): Promise<void> {
  const start =
    which.kind === 'schema'
      ? `select t.oid from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace where quote_ident(n.nspname) in (${texts(which.names)}) or n.nspname in (${texts(which.names.map(bare))})`
      : which.kind === 'type'
        ? `select to_regtype(name)::oid from unnest(array[${texts(which.names)}]::text[]) name where to_regtype(name) is not null`
        : "select t.oid from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace where n.nspname <> 'pg_catalog'"
  const { rows } = await session.query<{ statement: string }>(`
    with recursive gone (oid) as (
      ${start}
      union
      select t.oid
      from pg_catalog.pg_type t
      join gone g on t.typelem = g.oid or t.typbasetype = g.oid
    )
    select format('alter table %I.%I alter column %I type text using %I::text', n.nspname, c.relname, a.attname, a.attname) as statement
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${literal(archiveSchema)} and c.relkind in ('r', 'p') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped and a.atttypid in (select oid from gone)`)
  for (const { statement } of rows) await session.script(statement)
}

/** Names are quoted; `null` means every collation that is not the server's own. */
export async function releaseCollations(
  session: Session,
  which: { readonly schemas: readonly string[] } | { readonly names: readonly string[] } | null,
): Promise<void> {
  const gone =
    which === null
      ? "n.nspname <> 'pg_catalog'"
      : 'schemas' in which
        ? `quote_ident(n.nspname) in (${texts(which.schemas)}) or n.nspname in (${texts(which.schemas.map(bare))})`
        : `o.oid in (select to_regcollation(name) from unnest(array[${texts(which.names)}]::text[]) name)`
  const { rows } = await session.query<{ statement: string }>(`
    select format('alter table %I.%I alter column %I type %s collate pg_catalog."default"', r.nspname, c.relname, a.attname,
      format_type(a.atttypid, a.atttypmod)) as statement
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace r on r.oid = c.relnamespace
    join pg_catalog.pg_collation o on o.oid = a.attcollation
    join pg_catalog.pg_namespace n on n.oid = o.collnamespace
    where r.nspname = ${literal(archiveSchema)} and c.relkind in ('r', 'p') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped and (${gone})`)
  for (const { statement } of rows) await session.script(statement)
}

function texts(names: readonly string[]): string {
  return names.map(literal).join(', ') || 'null'
}

function bare(name: string): string {
  return name.replace(/^"|"$/g, '').replaceAll('""', '"')
}
