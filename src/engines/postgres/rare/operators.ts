/** Operators, their families and classes, and casts. */
import { listed, notOfExtension, ofDatabase, type Rare, some } from './kind.ts'

/** What an operator sorts by, where it does not search. */
const orderBy = `coalesce((
        select format(' for order by %I.%I', sn.nspname, s.opfname)
        from pg_opfamily s
        join pg_namespace sn on sn.oid = s.opfnamespace
        where s.oid = a.amopsortfamily
      ), '')`

const argument = (type: string): string => `case when ${type} = 0 then 'none' else format_type(${type}, null) end`

export const operators: Rare = {
  gate: listed('pg_operator'),
  others: `
  select 'operator' as kind, n.nspname as schema,
    format('%s.%s(%s, %s)', n.nspname, o.oprname, ${argument('o.oprleft')}, ${argument('o.oprright')}) as name, null as "table",
    format('operator %I.%s (%s, %s)', n.nspname, o.oprname, ${argument('o.oprleft')}, ${argument('o.oprright')}) as target,
    concat(format('create operator %I.%s (function = %s', n.nspname, o.oprname, o.oprcode),
      case when o.oprleft <> 0 then ', leftarg = ' || format_type(o.oprleft, null) end,
      case when o.oprright <> 0 then ', rightarg = ' || format_type(o.oprright, null) end,
      case when o.oprcom <> 0 then (select format(', commutator = operator(%I.%s)', xn.nspname, x.oprname) from pg_operator x
        join pg_namespace xn on xn.oid = x.oprnamespace where x.oid = o.oprcom) end,
      case when o.oprnegate <> 0 then (select format(', negator = operator(%I.%s)', xn.nspname, x.oprname) from pg_operator x
        join pg_namespace xn on xn.oid = x.oprnamespace where x.oid = o.oprnegate) end,
      case when o.oprrest <> 0 then format(', restrict = %s', o.oprrest) end, case when o.oprjoin <> 0 then format(', join = %s', o.oprjoin) end,
      case when o.oprcanhash then ', hashes' end, case when o.oprcanmerge then ', merges' end, ')') as definition,
    obj_description(o.oid, 'pg_operator') as comment, pg_get_userbyid(o.oprowner) as owner
  from pg_operator o
  join namespace n on n.oid = o.oprnamespace
  where o.oprcode <> 0 and ${notOfExtension('pg_operator', 'o.oid')}`,
}

/** A member that belongs to a class is made with it. */
const loose = (catalog: string, oid: string): string => `not exists (
    select from pg_depend i where i.classid = '${catalog}'::regclass and i.objid = ${oid} and i.refclassid = 'pg_opclass'::regclass)`

export const operatorFamilies: Rare = {
  gate: listed('pg_opfamily'),
  others: `
  select 'operator family' as kind, n.nspname as schema, n.nspname || '.' || f.opfname || ' using ' || m.amname as name, null as "table",
    format('operator family %I.%I using %I', n.nspname, f.opfname, m.amname) as target,
    format('create operator family %I.%I using %I', n.nspname, f.opfname, m.amname) as definition,
    obj_description(f.oid, 'pg_opfamily') as comment, pg_get_userbyid(f.opfowner) as owner
  from pg_opfamily f
  join namespace n on n.oid = f.opfnamespace
  join pg_am m on m.oid = f.opfmethod
  where ${notOfExtension('pg_opfamily', 'f.oid')}`,
  settings: `
  select 'operator family ' || n.nspname || '.' || f.opfname || ' using ' || m.amname as object, p.what || ' ' || p.args as property,
    null as "table", p.value,
    format('alter operator family %I.%I using %I add %s', n.nspname, f.opfname, m.amname, p.value) as make,
    format('alter operator family %I.%I using %I drop %s %s', n.nspname, f.opfname, m.amname, p.what, p.args) as undo, p.position
  from pg_opfamily f
  join namespace n on n.oid = f.opfnamespace
  join pg_am m on m.oid = f.opfmethod
  join lateral (
    select 'operator ' || a.amopstrategy as what, format('(%s, %s)', format_type(a.amoplefttype, null), format_type(a.amoprighttype, null)) as args,
      format('operator %s %s', a.amopstrategy, a.amopopr::regoperator) || ${orderBy} as value,
      a.amopstrategy::int as position
    from pg_amop a
    where a.amopfamily = f.oid and ${loose('pg_amop', 'a.oid')}
    union all
    select 'function ' || a.amprocnum, format('(%s, %s)', format_type(a.amproclefttype, null), format_type(a.amprocrighttype, null)),
      format('function %s (%s, %s) %s', a.amprocnum, format_type(a.amproclefttype, null), format_type(a.amprocrighttype, null),
        a.amproc::regprocedure), 100 + a.amprocnum
    from pg_amproc a
    where a.amprocfamily = f.oid and ${loose('pg_amproc', 'a.oid')}
  ) p on true
  where ${notOfExtension('pg_opfamily', 'f.oid')}`,
}

export const operatorClasses: Rare = {
  gate: listed('pg_opclass'),
  others: `
  select 'operator class' as kind, n.nspname as schema, n.nspname || '.' || c.opcname || ' using ' || m.amname as name, null as "table",
    format('operator class %I.%I using %I', n.nspname, c.opcname, m.amname) as target,
    format('create operator class %I.%I %sfor type %s using %I family %I.%I as ', n.nspname, c.opcname, case when c.opcdefault then 'default ' end,
      format_type(c.opcintype, null), m.amname, fn.nspname, f.opfname)
      || (
        select string_agg(told, ', ' order by rank)
        from (
          select format('operator %s %s', a.amopstrategy, a.amopopr::regoperator) || ${orderBy} as told,
            array[1, a.amopstrategy] as rank
          from pg_depend d
          join pg_amop a on a.oid = d.objid
          where d.classid = 'pg_amop'::regclass and d.refclassid = 'pg_opclass'::regclass and d.refobjid = c.oid
          union all
          select format('function %s (%s, %s) %s', a.amprocnum, format_type(a.amproclefttype, null), format_type(a.amprocrighttype, null),
            a.amproc::regprocedure), array[2, a.amprocnum]
          from pg_depend d
          join pg_amproc a on a.oid = d.objid
          where d.classid = 'pg_amproc'::regclass and d.refclassid = 'pg_opclass'::regclass and d.refobjid = c.oid
          union all
          select 'storage ' || format_type(coalesce(nullif(c.opckeytype, 0), c.opcintype), null), array[3]
        ) members
      ) as definition,
    obj_description(c.oid, 'pg_opclass') as comment, pg_get_userbyid(c.opcowner) as owner
  from pg_opclass c
  join namespace n on n.oid = c.opcnamespace
  join pg_am m on m.oid = c.opcmethod
  join pg_opfamily f on f.oid = c.opcfamily
  join pg_namespace fn on fn.oid = f.opfnamespace
  where ${notOfExtension('pg_opclass', 'c.oid')}`,
}

/** A range type brings its own along. */
export const casts: Rare = {
  gate: some('pg_cast'),
  others: `
  select 'cast' as kind, null as schema, format('(%s as %s)', format_type(c.castsource, null), format_type(c.casttarget, null)) as name,
    null as "table", format('cast (%s as %s)', format_type(c.castsource, null), format_type(c.casttarget, null)) as target,
    concat(format('create cast (%s as %s) ', format_type(c.castsource, null), format_type(c.casttarget, null)),
      case c.castmethod when 'f' then 'with function ' || c.castfunc::regprocedure when 'i' then 'with inout' else 'without function' end,
      case c.castcontext when 'a' then ' as assignment' when 'i' then ' as implicit' end) as definition,
    obj_description(c.oid, 'pg_cast') as comment, null as owner
  from pg_cast c
  where c.oid >= 16384 and ${ofDatabase} and not exists (
    select from pg_depend d where d.classid = 'pg_cast'::regclass and d.objid = c.oid and d.deptype in ('e', 'i')
  )`,
}
