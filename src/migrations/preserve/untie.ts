/** What ties a table to the living database, in both directions: what hangs on it goes, and what it hangs on is let go of. */
import type { Session } from '../../engines/engine.ts'
import { literal } from './text.ts'

/**
 * Everything outside that depends on the tables: views, foreign keys, functions of their row type, policies of others. The statement was
 * tried before, so whatever is found here goes with it. Answers what was dropped, by identity.
 */
export async function dropDependents(session: Session, oids: readonly number[]): Promise<string[]> {
  const dropped: string[] = []
  for (let [next] = await dependentsOf(session, oids); next; [next] = await dependentsOf(session, oids)) {
    await session.script(next.statement)
    dropped.push(next.identity)
  }
  return dropped
}

async function dependentsOf(
  session: Session,
  oids: readonly number[],
): Promise<readonly { readonly statement: string; readonly identity: string }[]> {
  const { rows } = await session.query<{ statement: string; identity: string }>(`
    with recursive own (classid, objid) as (
      select 'pg_catalog.pg_class'::regclass::oid, unnest(array[${list(oids)}]::oid[])
      union
      select d.classid, d.objid
      from pg_catalog.pg_depend d
      join own o on o.classid = d.refclassid and o.objid = d.refobjid
      where d.deptype in ('a', 'i', 'P', 'S')
        and not (d.classid = 'pg_catalog.pg_rewrite'::regclass and exists (
          select from pg_catalog.pg_rewrite r
          join pg_catalog.pg_class v on v.oid = r.ev_class
          where r.oid = d.objid and v.relkind in ('v', 'm')
        ))
    ), outside as (
      select distinct d.classid, d.objid, d.objsubid
      from pg_catalog.pg_depend d
      join own o on o.classid = d.refclassid and o.objid = d.refobjid
      where d.deptype = 'n' and not exists (select from own i where i.classid = d.classid and i.objid = d.objid)
    )
    select i.type || ' ' || i.identity as identity,
      case
        when x.classid = 'pg_catalog.pg_rewrite'::regclass then (
          select case v.relkind when 'v' then 'drop view ' when 'm' then 'drop materialized view ' else 'drop rule ' || quote_ident(r.rulename) || ' on ' end
            || v.oid::regclass || ' cascade'
          from pg_catalog.pg_rewrite r
          join pg_catalog.pg_class v on v.oid = r.ev_class
          where r.oid = x.objid
        )
        when x.classid = 'pg_catalog.pg_constraint'::regclass then (
          select 'alter table ' || c.conrelid::regclass || ' drop constraint ' || quote_ident(c.conname) || ' cascade'
          from pg_catalog.pg_constraint c
          where c.oid = x.objid
        )
        when x.classid = 'pg_catalog.pg_policy'::regclass then (
          select 'drop policy ' || quote_ident(p.polname) || ' on ' || p.polrelid::regclass
          from pg_catalog.pg_policy p
          where p.oid = x.objid
        )
        when x.classid = 'pg_catalog.pg_trigger'::regclass then (
          select 'drop trigger ' || quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass || ' cascade'
          from pg_catalog.pg_trigger t
          where t.oid = x.objid
        )
        when x.classid = 'pg_catalog.pg_attrdef'::regclass then (
          select 'alter table ' || d.adrelid::regclass || ' alter column ' || quote_ident(a.attname) || ' drop default'
          from pg_catalog.pg_attrdef d
          join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
          where d.oid = x.objid
        )
        when x.classid = 'pg_catalog.pg_class'::regclass and x.objsubid > 0 then (
          select 'alter table ' || a.attrelid::regclass || ' drop column ' || quote_ident(a.attname) || ' cascade'
          from pg_catalog.pg_attribute a
          where a.attrelid = x.objid and a.attnum = x.objsubid
        )
        when x.classid = 'pg_catalog.pg_proc'::regclass then 'drop routine ' || i.identity || ' cascade'
        else 'drop ' || i.type || ' ' || i.identity || ' cascade'
      end as statement
    from outside x
    cross join lateral pg_catalog.pg_identify_object(x.classid, x.objid, x.objsubid) i
    order by x.classid, x.objid`)
  return rows
}

/** What a moved table leaves behind, as statements; each is there to have no tie to anything that may be dropped later. */
export async function untieStatements(session: Session, oids: readonly number[]): Promise<string[]> {
  const { rows } = await session.query<{ statement: string }>(`
    with gone as (select unnest(array[${list(oids)}]::oid[]) as oid)
    select statement
    from (
      select 1 as place, c.oid::bigint as number, 'alter table ' || c.conrelid::regclass || ' drop constraint ' || quote_ident(c.conname) || ' cascade' as statement
      from pg_catalog.pg_constraint c
      join gone g on g.oid = c.conrelid
      where c.contype = 'f' and c.conparentid = 0
      union all
      select 2, t.oid::bigint, 'drop trigger ' || quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass || ' cascade'
      from pg_catalog.pg_trigger t
      join gone g on g.oid = t.tgrelid
      where not t.tgisinternal and t.tgparentid = 0
      union all
      select 3, p.oid::bigint, 'drop policy ' || quote_ident(p.polname) || ' on ' || p.polrelid::regclass
      from pg_catalog.pg_policy p
      join gone g on g.oid = p.polrelid
      union all
      select 4, r.oid::bigint, 'drop rule ' || quote_ident(r.rulename) || ' on ' || r.ev_class::regclass
      from pg_catalog.pg_rewrite r
      join gone g on g.oid = r.ev_class
      union all
      select 5, c.oid::bigint, 'alter table ' || c.conrelid::regclass || ' drop constraint ' || quote_ident(c.conname) || ' cascade'
      from pg_catalog.pg_constraint c
      join gone g on g.oid = c.conrelid
      where c.contype = 'c' and c.coninhcount = 0
      union all
      select 6, x.oid::bigint, 'drop statistics ' || quote_ident(n.nspname) || '.' || quote_ident(x.stxname)
      from pg_catalog.pg_statistic_ext x
      join pg_catalog.pg_namespace n on n.oid = x.stxnamespace
      join gone g on g.oid = x.stxrelid
      union all
      select 7, i.indexrelid::bigint, 'drop index ' || i.indexrelid::regclass
      from pg_catalog.pg_index i
      join gone g on g.oid = i.indrelid
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      where not c.relispartition
        and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
        and (i.indexprs is not null or i.indpred is not null or exists (
          select
          from unnest(i.indclass::oid[]) used (oid)
          join pg_catalog.pg_opclass o on o.oid = used.oid
          join pg_catalog.pg_namespace n on n.oid = o.opcnamespace
          where n.nspname <> 'pg_catalog'
        ))
      union all
      select 8, a.attnum, 'alter table ' || case when a.attgenerated = '' then 'only ' else '' end || a.attrelid::regclass
        || case when a.attgenerated = '' then ' alter column ' || quote_ident(a.attname) || ' drop default' else ' drop column ' || quote_ident(a.attname) || ' cascade' end
      from pg_catalog.pg_attribute a
      join gone g on g.oid = a.attrelid
      where a.attnum > 0 and not a.attisdropped and a.atthasdef and (a.attgenerated = '' or a.attinhcount = 0)
      union all
      select 9, r.oid::bigint, 'alter publication ' || quote_ident(b.pubname) || ' drop table ' || r.prrelid::regclass
      from pg_catalog.pg_publication_rel r
      join pg_catalog.pg_publication b on b.oid = r.prpubid
      join gone g on g.oid = r.prrelid
      union all
      select 10, i.inhrelid::bigint, case
          when c.relispartition then 'alter table ' || i.inhparent::regclass || ' detach partition ' || i.inhrelid::regclass
          else 'alter table ' || i.inhrelid::regclass || ' no inherit ' || i.inhparent::regclass
        end
      from pg_catalog.pg_inherits i
      join gone g on g.oid = i.inhrelid
      join pg_catalog.pg_class c on c.oid = i.inhrelid
      where not c.relispartition or not exists (select from gone p where p.oid = i.inhparent)
      union all
      select 11, s.oid::bigint, 'alter table ' || s.oid::regclass || ' not of'
      from pg_catalog.pg_class s
      join gone g on g.oid = s.oid
      where s.reloftype <> 0
      union all
      select 12, c.oid::bigint, 'alter table ' || c.oid::regclass || ' owner to current_user'
      from pg_catalog.pg_class c
      join gone g on g.oid = c.oid
      where pg_catalog.pg_get_userbyid(c.relowner) <> current_user
      union all
      select distinct 13, c.oid::bigint, 'revoke all on ' || case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass || ' from '
        || case when a.grantee = 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end || ' cascade'
      from pg_catalog.pg_class c
      cross join lateral aclexplode(c.relacl) a
      where (c.oid in (select oid from gone) or c.relkind = 'S' and c.oid in (
        select d.objid
        from pg_catalog.pg_depend d
        join gone g on g.oid = d.refobjid
        where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
      )) and a.grantee <> c.relowner and a.grantee <> (select oid from pg_catalog.pg_roles where rolname = current_user)
      union all
      select distinct 14, t.attrelid::bigint, 'revoke all (' || quote_ident(t.attname) || ') on table ' || t.attrelid::regclass || ' from '
        || case when a.grantee = 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end || ' cascade'
      from pg_catalog.pg_attribute t
      join gone g on g.oid = t.attrelid
      cross join lateral aclexplode(t.attacl) a
      where t.attnum > 0 and not t.attisdropped and a.grantee <> (select oid from pg_catalog.pg_roles where rolname = current_user)
    ) untied
    order by place, number`)
  return rows.map(row => row.statement)
}

/** For the record: what a person would need to write the table again. */
export async function definitionsOf(session: Session, oids: readonly number[]): Promise<Map<number, string[]>> {
  const { rows } = await session.query<{ oid: number; definition: string }>(`
    select conrelid as oid, 'constraint ' || quote_ident(conname) || ' ' || pg_catalog.pg_get_constraintdef(oid) as definition
    from pg_catalog.pg_constraint
    where conrelid in (${list(oids)})
    union all
    select indrelid, pg_catalog.pg_get_indexdef(indexrelid)
    from pg_catalog.pg_index
    where indrelid in (${list(oids)})
    union all
    select tgrelid, pg_catalog.pg_get_triggerdef(oid)
    from pg_catalog.pg_trigger
    where tgrelid in (${list(oids)}) and not tgisinternal
    order by 1, 2`)
  const found = new Map<number, string[]>()
  for (const { oid, definition } of rows) found.set(oid, [...(found.get(oid) ?? []), definition])
  return found
}

function list(oids: readonly number[]): string {
  return oids.map(oid => literal(oid)).join(', ') || 'null'
}
