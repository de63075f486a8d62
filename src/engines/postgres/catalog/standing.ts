/** What stands beside the tables: schemas, extensions, types and routines. */
import { acl, ifRoutines, ownType } from './scope.ts'

export const namespaces = `
  select n.nspname as name, obj_description(n.oid, 'pg_namespace') as comment, ${acl('n.nspacl', 'n', 'n.nspowner')}
  from namespace n`

/** plpgsql is in every database. */
export const extensions = `select e.extname as name from pg_extension e where e.extname <> 'plpgsql'`

export const enums = `
  select n.nspname as schema, t.typname as name, obj_description(t.oid, 'pg_type') as comment,
    (select coalesce(json_agg(e.enumlabel order by e.enumsortorder), '[]') from pg_enum e where e.enumtypid = t.oid) as values
  from pg_type t ${ownType} and t.typtype = 'e'`

export const domains = `
  select n.nspname as schema, t.typname as name, obj_description(t.oid, 'pg_type') as comment,
    format_type(t.typbasetype, t.typtypmod) || coalesce((
      select format(' collate %I.%I', cn.nspname, c.collname)
      from pg_collation c
      join pg_namespace cn on cn.oid = c.collnamespace
      join pg_type b on b.oid = t.typbasetype and b.typcollation <> t.typcollation
      where c.oid = t.typcollation
    ), '') as type,
    concat_ws(' ', 'default ' || t.typdefault, case when t.typnotnull then 'not null' end, (
      select string_agg(format('constraint %I %s', c.conname, pg_get_constraintdef(c.oid)), ' ' order by c.conname)
      from pg_constraint c
      where c.contypid = t.oid and c.contype = 'c'
    )) as definition
  from pg_type t ${ownType} and t.typtype = 'd'`

/** What a final function may do with the state, where it is not the usual. */
const modify = (done: string, letter: string, word: string): string =>
  `case when ${done} <> 0 and ${letter} <> (case when a.aggkind = 'n' then 'r' else 'w' end)
          then '${word} = ' || case ${letter} when 'r' then 'read_only' when 's' then 'shareable' else 'read_write' end end`

/** What makes values of a range type comes and goes with it. */
export const routines = `
  select n.nspname as schema, p.proname as name, obj_description(p.oid, 'pg_proc') as comment,
    pg_get_function_identity_arguments(p.oid) as arguments, p.prokind as kind, p.prosecdef as "securityDefiner",
    case when p.prokind <> 'a' then pg_get_functiondef(p.oid) else (
      select concat_ws(', ', 'sfunc = ' || a.aggtransfn, 'stype = ' || format_type(a.aggtranstype, null),
        'sspace = ' || nullif(a.aggtransspace, 0), 'finalfunc = ' || nullif(a.aggfinalfn, 0)::regproc,
        case when a.aggfinalextra then 'finalfunc_extra' end, ${modify('a.aggfinalfn', 'a.aggfinalmodify', 'finalfunc_modify')},
        'combinefunc = ' || nullif(a.aggcombinefn, 0)::regproc, 'serialfunc = ' || nullif(a.aggserialfn, 0)::regproc,
        'deserialfunc = ' || nullif(a.aggdeserialfn, 0)::regproc, 'initcond = ' || quote_literal(a.agginitval), 'msfunc = ' || nullif(a.aggmtransfn, 0)::regproc,
        'minvfunc = ' || nullif(a.aggminvtransfn, 0)::regproc, 'mstype = ' || format_type(nullif(a.aggmtranstype, 0), null),
        'msspace = ' || nullif(a.aggmtransspace, 0), 'mfinalfunc = ' || nullif(a.aggmfinalfn, 0)::regproc,
        case when a.aggmfinalextra then 'mfinalfunc_extra' end, ${modify('a.aggmfinalfn', 'a.aggmfinalmodify', 'mfinalfunc_modify')},
        'minitcond = ' || quote_literal(a.aggminitval), (
          select format('sortop = operator(%I.%s)', xn.nspname, x.oprname) from pg_operator x
          join pg_namespace xn on xn.oid = x.oprnamespace where x.oid = a.aggsortop
        ), 'parallel = ' || case p.proparallel when 's' then 'safe' when 'r' then 'restricted' end, case when a.aggkind = 'h' then 'hypothetical' end)
      from pg_aggregate a
      where a.aggfnoid = p.oid
    ) end as definition,
    ${acl('p.proacl', 'f', 'p.proowner')}
  from pg_proc p
  join namespace n on n.oid = p.pronamespace
  where not exists (select from pg_depend x where x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.deptype in ('e', 'i')) ${ifRoutines}`
