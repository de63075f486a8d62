/**
 * What a catalog holds of the user's own objects, one row an object, cheap enough to be asked after every statement: rows that nobody wrote since
 * a given transaction are left out by their `xmin`. Needs no right beyond reading the catalog. Works on 15 to 18.
 */
import type { ObjectKind, RelationLock } from '../../schema/rehearsal.ts'

export interface ObjectRow {
  /** Catalog, object and number within it; stays the same when the object gets another name. */
  readonly key: string
  readonly kind: ObjectKind
  readonly name: string
  readonly of: string | null
  /** It is no object of its own, such as a default: whatever happens to it alters the object that it names. */
  readonly part: boolean
  /** Differs whenever the object does. */
  readonly content: string
}

export interface RelationRow {
  readonly oid: number
  readonly name: string
  readonly kind: RelationLock['kind']
  /** The file that holds it, within the server's folder; null where there is none. */
  readonly storage: string | null
  /** The table that an index belongs to. */
  readonly table: number | null
}

/** What one look found. Dropped objects are those that a look at everything does not find any more. */
export interface CatalogRows {
  readonly objects: readonly ObjectRow[]
  readonly relations: readonly RelationRow[]
}

/**
 * The lists of a {@link CatalogRows} as columns of JSON, of the named catalogs or all. `$1` is a transaction, or null for everything; `$2` a command of
 * this transaction, or null: only what it wrote since then. `mark` is the command to ask with the next time; `dropped` are columns that went, by key.
 */
export function catalogColumns(of?: ReadonlySet<string>): string {
  const dropped = !of || of.has('pg_attribute') ? droppedColumns : 'select null::json as dropped'
  return `o.objects, o.mark, r.relations, d.dropped
  from (select json_agg(json_build_array(o.key, o.kind, o.name, o."of", o.content, o.part)) as objects, max(o.command) as mark from (${objectsOf(of)}) o) o,
  (select json_agg(json_build_array(r.oid, r.name, r.kind, r.storage, r."table")) as relations from (${relationsOf(of)}) r) r,
  (${dropped}) d`
}

/** The keys of all that there is in these catalogs, parameters as above. */
export function catalogKeys(of: ReadonlySet<string>): string {
  return `(select json_agg(o.key) from (${objectsOf(of)}) o) as keys, (select json_agg(r.oid) from (${relationsOf(of)}) r) as relations`
}

/** The catalog that a key names. */
export function catalogOfKey(key: string): string {
  return key.slice(key.lastIndexOf(' ', key.indexOf(':')) + 1, key.indexOf(':'))
}

/** Catalogs whose rows go although no object does. */
export const restlessCatalogs = [
  'pg_depend',
  'pg_shdepend',
  'pg_statistic',
  'pg_statistic_ext_data',
  'pg_index',
  'pg_inherits',
]

export interface RawCatalog {
  readonly mark: string | number | null
  readonly dropped: readonly string[] | null
  readonly objects: readonly (readonly [string, ObjectKind, string, string | null, string, boolean])[] | null
  readonly relations: readonly (readonly [number, string, RelationLock['kind'], string | null, number | null])[] | null
}

export function catalogOf(raw: RawCatalog): CatalogRows {
  return {
    objects: (raw.objects ?? []).map(([key, kind, name, of, content, part]) => ({
      key,
      kind,
      name,
      of,
      content,
      part,
    })),
    relations: (raw.relations ?? []).map(([oid, name, kind, storage, table]) => ({
      oid,
      name,
      kind,
      // The folder of the database is another one in a copy of it.
      storage: storage?.replace(/\/\d+\/(\d+)$/, '/$1') ?? null,
      table,
    })),
  }
}

/** Written since `$1` and `$2`, or anything. Objects of the system have smaller numbers. */
function written(alias: string, oid = `${alias}.oid`): string {
  return `${oid} >= 16384 and ${writtenRow(alias)}`
}

/**
 * Commands of a transaction count up, and a row keeps the number of the one that wrote it, unless a part of the transaction that was rolled back wanted
 * it away: then the number says nothing, and the row counts as written.
 */
function writtenRow(alias: string): string {
  return `($1::xid is null or (pg_catalog.age(${alias}.xmin) <= pg_catalog.age($1::xid)
    and ($2::bigint is null or ${alias}.xmax <> 0 or ${alias}.cmin::text::bigint > $2::bigint)))`
}

/** Rows of this transaction only: those of others, which may have committed meanwhile, count for themselves. */
function command(alias: string): string {
  return `case when $1::xid is not null and ${alias}.xmax = 0 and pg_catalog.pg_xact_status(
    (pg_catalog.pg_current_xact_id_if_assigned()::text::bigint - pg_catalog.age(${alias}.xmin))::text::xid8) = 'in progress'
    then ${alias}.cmin::text::bigint end`
}

const own = (alias: string): string =>
  `${alias}.nspname !~ '^pg_' and ${alias}.nspname not in ('information_schema', 'plinth', 'plinth_archive')`

const notOfExtension = (catalog: string, oid: string): string => `not exists (
    select from pg_catalog.pg_depend x where x.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass and x.objid = ${oid} and x.deptype = 'e')`

const hash = (...parts: readonly string[]): string =>
  `pg_catalog.hashtextextended(pg_catalog.concat_ws('|', ${parts.map(part => `coalesce((${part})::text, '-')`).join(', ')}), 0)::text`

/** A key begins with the alias of the row that it is of. */
const select = (catalog: string, { key, kind, name, of, content, part = 'false' }: Told): string =>
  `select '${catalog}:' || ${key} as key, ${kind} as kind, ${name} as name, ${of} as "of", ${content} as content, ${part} as part,
  ${command(key.slice(0, key.indexOf('.')))} as command`

/** An expression for each part of an {@link ObjectRow}. */
type Told = Readonly<Record<'key' | 'kind' | 'name' | 'of' | 'content', string> & { part?: string }>

const namespaces = `${select('pg_namespace', { key: 'n.oid', kind: "'schema'", name: 'n.nspname::text', of: 'null::text', content: hash('n.nspowner') })}
  from pg_catalog.pg_namespace n
  where ${written('n')} and ${own('n')} and ${notOfExtension('pg_namespace', 'n.oid')}`

const inSchema = "n.nspname || '.' || c.relname"

/** Indexes belong to a table; a partition's bounds change when it is attached or detached. */
const classes = `${select('pg_class', {
  key: 'c.oid',
  kind: `case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'i' then 'index' when 'I' then 'index'
    when 'c' then 'type' else 'table' end`,
  name: "case when t.oid is null then n.nspname || '.' || c.relname else tn.nspname || '.' || t.relname || '.' || c.relname end",
  of: "tn.nspname || '.' || t.relname",
  content: hash(
    'c.relnamespace',
    'c.relowner',
    'c.relpersistence',
    'c.reltablespace',
    'c.relreplident',
    'c.relam',
    'c.relrowsecurity',
    'c.relforcerowsecurity',
    'c.relispartition',
    'c.relpartbound is not null',
    'c.reloptions',
    'c.reloftype',
    "case when c.relkind = 'c' then c.relnatts end",
    'i.indisvalid',
    'i.indisclustered',
    'i.indisreplident',
  ),
})}
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_index i on i.indexrelid = c.oid
  left join pg_catalog.pg_class t on t.oid = i.indrelid
  left join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where c.oid >= 16384 and (${writtenRow('c')} or ${writtenRow('i')})
    and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I', 'c') and ${own('n')} and ${notOfExtension('pg_class', 'c.oid')}`

const ofTable = (alias: string, oid: string): string => `
  join pg_catalog.pg_class c on c.oid = ${oid} and c.relkind in ('r', 'p', 'f')
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${written(alias, oid)} and ${own('n')} and ${notOfExtension('pg_class', 'c.oid')}`

const columns = `${select('pg_attribute', {
  key: "a.attrelid || '.' || a.attnum",
  kind: "'column'",
  name: `${inSchema} || '.' || a.attname`,
  of: inSchema,
  content: hash(
    'a.atttypid',
    'a.atttypmod',
    'a.attnotnull',
    'a.attidentity',
    'a.attgenerated',
    'a.attcollation',
    'a.attstorage',
    "to_jsonb(a) -> 'attcompression'",
    "to_jsonb(a) -> 'attstattarget'",
    'a.attoptions',
    'a.attfdwoptions',
  ),
})}
  from pg_catalog.pg_attribute a ${ofTable('a', 'a.attrelid')} and a.attnum > 0 and not a.attisdropped`

const defaults = `${select('pg_attrdef', { key: 'd.oid', part: 'true', kind: "'column'", name: `${inSchema} || '.' || a.attname`, of: inSchema, content: hash('d.adbin') })}
  from pg_catalog.pg_attrdef d
  join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum ${ofTable('d', 'd.adrelid')}`

/** Copies that partitions have of their parent's constraints belong to the parent. */
const constraints = `${select('pg_constraint', {
  key: 'k.oid',
  kind: "'constraint'",
  name: "case when t.oid is null then n.nspname || '.' || c.relname else tn.nspname || '.' || t.typname end || '.' || k.conname",
  of: "case when t.oid is null then n.nspname || '.' || c.relname else tn.nspname || '.' || t.typname end",
  content: hash(
    'k.convalidated',
    'k.condeferrable',
    'k.condeferred',
    "to_jsonb(k) -> 'conenforced'",
    'k.conbin',
    'k.connoinherit',
    'k.confupdtype',
    'k.confdeltype',
  ),
})}
  from pg_catalog.pg_constraint k
  left join pg_catalog.pg_class c on c.oid = k.conrelid
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_type t on t.oid = k.contypid
  left join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
  where ${written('k')} and k.contype in ('p', 'u', 'f', 'c', 'x') and k.conparentid = 0
    and coalesce(n.nspname, tn.nspname) !~ '^pg_' and coalesce(n.nspname, tn.nspname) not in ('information_schema', 'plinth', 'plinth_archive')
    and ${notOfExtension('pg_class', 'k.conrelid')} and ${notOfExtension('pg_type', 'k.contypid')}`

const onAnyRelation = (alias: string, oid: string): string => `
  join pg_catalog.pg_class c on c.oid = ${oid}
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${written(alias)} and ${own('n')} and ${notOfExtension('pg_class', 'c.oid')}`

const triggers = `${select('pg_trigger', { key: 'g.oid', kind: "'trigger'", name: `${inSchema} || '.' || g.tgname`, of: inSchema, content: hash('g.tgenabled', 'g.tgtype', 'g.tgfoid', 'g.tgqual', 'g.tgattr') })}
  from pg_catalog.pg_trigger g ${onAnyRelation('g', 'g.tgrelid')} and not g.tgisinternal and g.tgparentid = 0`

const policies = `${select('pg_policy', { key: 'p.oid', kind: "'policy'", name: `${inSchema} || '.' || p.polname`, of: inSchema, content: hash('p.polcmd', 'p.polpermissive', 'p.polroles', 'p.polqual', 'p.polwithcheck') })}
  from pg_catalog.pg_policy p ${onAnyRelation('p', 'p.polrelid')}`

/** What a view selects is a rule of it. */
const rewriteRules = `${select('pg_rewrite', {
  key: 'w.oid',
  part: "w.rulename = '_RETURN'",
  kind: "case when w.rulename <> '_RETURN' then 'other' when c.relkind = 'm' then 'materialized view' else 'view' end",
  name: `${inSchema} || case when w.rulename = '_RETURN' then '' else '.' || w.rulename end`,
  of: "case when w.rulename = '_RETURN' then null else n.nspname || '.' || c.relname end",
  content: hash('w.ev_action', 'w.ev_qual', 'w.ev_enabled'),
})}
  from pg_catalog.pg_rewrite w ${onAnyRelation('w', 'w.ev_class')}`

/** Arrays, row types and multiranges come and go with what they belong to. */
const types = `${select('pg_type', { key: 't.oid', kind: "case t.typtype when 'e' then 'enum' when 'd' then 'domain' else 'type' end", name: "n.nspname || '.' || t.typname", of: 'null', content: hash('t.typnamespace', 't.typowner', 't.typnotnull', 't.typdefault', 't.typbasetype', 't.typtypmod') })}
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  where ${written('t')} and t.typtype in ('e', 'd', 'r', 'b') and t.typcategory <> 'A' and ${own('n')} and ${notOfExtension('pg_type', 't.oid')}`

const enumValues = `${select('pg_enum', { key: 'e.oid', kind: "'enum value'", name: "n.nspname || '.' || t.typname || '.' || e.enumlabel", of: "n.nspname || '.' || t.typname", content: "''" })}
  from pg_catalog.pg_enum e
  join pg_catalog.pg_type t on t.oid = e.enumtypid
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  where ${written('e')} and ${own('n')} and ${notOfExtension('pg_type', 't.oid')}`

const routines = `${select('pg_proc', { key: 'p.oid', kind: "'routine'", name: "n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')'", of: 'null', content: hash('p.prosrc', 'p.probin', 'p.proowner', 'p.prolang', 'p.provolatile', 'p.prosecdef', 'p.proleakproof', 'p.proisstrict', 'p.proparallel', 'p.proconfig', 'p.prorettype', 'p.proargdefaults', 'p.procost', 'p.prorows', "to_jsonb(p) -> 'prosqlbody'") })}
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where ${written('p')} and ${own('n')} and ${notOfExtension('pg_proc', 'p.oid')}`

const extensions = `${select('pg_extension', { key: 'e.oid', kind: "'extension'", name: 'e.extname::text', of: 'null', content: hash('e.extversion', 'e.extnamespace') })}
  from pg_catalog.pg_extension e where ${written('e')}`

const sequences = `${select('pg_sequence', { key: 's.seqrelid', part: 'true', kind: "'sequence'", name: inSchema, of: 'null', content: hash('s.seqtypid', 's.seqstart', 's.seqincrement', 's.seqmax', 's.seqmin', 's.seqcache', 's.seqcycle') })}
  from pg_catalog.pg_sequence s
  join pg_catalog.pg_class c on c.oid = s.seqrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${written('s', 's.seqrelid')} and ${own('n')} and ${notOfExtension('pg_class', 'c.oid')}`

const grants: readonly Branch[] = [
  [
    'pg_class',
    `${select('grant on pg_class', { key: 'c.oid', kind: "'grant'", name: inSchema, of: inSchema, content: hash('c.relacl') })}
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${written('c')} and c.relacl is not null and ${own('n')} and ${notOfExtension('pg_class', 'c.oid')}`,
  ],
  [
    'pg_attribute',
    `${select('grant on pg_attribute', { key: "a.attrelid || '.' || a.attnum", kind: "'grant'", name: `${inSchema} || '.' || a.attname`, of: inSchema, content: hash('a.attacl') })}
  from pg_catalog.pg_attribute a ${ofTable('a', 'a.attrelid')} and a.attacl is not null and not a.attisdropped`,
  ],
  [
    'pg_namespace',
    `${select('grant on pg_namespace', { key: 'n.oid', kind: "'grant'", name: 'n.nspname', of: 'null', content: hash('n.nspacl') })}
  from pg_catalog.pg_namespace n where ${written('n')} and n.nspacl is not null and ${own('n')}`,
  ],
  [
    'pg_proc',
    `${select('grant on pg_proc', { key: 'p.oid', kind: "'grant'", name: "n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')'", of: 'null', content: hash('p.proacl') })}
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where ${written('p')} and p.proacl is not null and ${own('n')} and ${notOfExtension('pg_proc', 'p.oid')}`,
  ],
  [
    'pg_type',
    `${select('grant on pg_type', { key: 't.oid', kind: "'grant'", name: "n.nspname || '.' || t.typname", of: 'null', content: hash('t.typacl') })}
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  where ${written('t')} and t.typacl is not null and ${own('n')} and ${notOfExtension('pg_type', 't.oid')}`,
  ],
  [
    'pg_default_acl',
    `${select('grant on pg_default_acl', { key: 'd.oid', kind: "'grant'", name: "'default privileges'", of: 'null', content: hash('d.defaclacl') })}
  from pg_catalog.pg_default_acl d where ${written('d')}`,
  ],
]

const comments = `${select('pg_description', {
  key: "d.classoid || '.' || d.objoid || '.' || d.objsubid",
  kind: "'comment'",
  name: `coalesce(${inSchema} || coalesce('.' || a.attname, ''), (pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity)`,
  of: inSchema,
  content: hash('d.description'),
})}
  from pg_catalog.pg_description d
  left join pg_catalog.pg_class c on d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = d.objoid
  left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0
  where ${written('d', 'd.objoid')} and (n.oid is null or ${own('n')})
    and not exists (select from pg_catalog.pg_depend x where x.classid = d.classoid and x.objid = d.objoid and x.deptype = 'e')`

/** What has no kind of its own. */
const others: readonly Branch[] = [
  'pg_publication',
  'pg_publication_rel',
  'pg_event_trigger',
  'pg_foreign_server',
  'pg_foreign_data_wrapper',
  'pg_cast',
  'pg_operator',
  'pg_opclass',
  'pg_opfamily',
  'pg_collation',
  'pg_conversion',
  'pg_ts_config',
  'pg_ts_dict',
  'pg_statistic_ext',
  'pg_language',
  'pg_am',
  'pg_transform',
].map(catalog => [
  catalog,
  `${select(catalog, {
    key: 'o.oid',
    kind: "'other'",
    name: `(pg_catalog.pg_identify_object('pg_catalog.${catalog}'::pg_catalog.regclass, o.oid, 0)).identity`,
    of: 'null',
    content: hash('to_jsonb(o)'),
  })} from pg_catalog.${catalog} o where ${written('o')} and ${notOfExtension(catalog, 'o.oid')}`,
])

/** A catalog, and the objects that it holds. */
type Branch = readonly [catalog: string, text: string]

const branches: readonly Branch[] = [
  ['pg_namespace', namespaces],
  ['pg_class', classes],
  ['pg_attribute', columns],
  ['pg_attrdef', defaults],
  ['pg_constraint', constraints],
  ['pg_trigger', triggers],
  ['pg_policy', policies],
  ['pg_rewrite', rewriteRules],
  ['pg_type', types],
  ['pg_enum', enumValues],
  ['pg_proc', routines],
  ['pg_extension', extensions],
  ['pg_sequence', sequences],
  ...grants,
  ['pg_description', comments],
  ...others,
]

/** Where something of an index is written, so is the class that it is. */
function objectsOf(of?: ReadonlySet<string>): string {
  const among = (catalog: string) => !of || of.has(catalog) || (catalog === 'pg_class' && of.has('pg_index'))
  const texts = branches.flatMap(([catalog, text]) => (among(catalog) ? [text] : []))
  return texts.length > 0 ? texts.join('\nunion all\n') : nothing
}

const nothing = `select null as key, null as kind, null as name, null as "of", null as content, false as part, null::bigint as command
  where $1::xid is not null and $2::bigint is not null and false`

/** A column that was dropped leaves its row, marked. */
const droppedColumns = `select json_agg('pg_attribute:' || a.attrelid || '.' || a.attnum) as dropped
  from pg_catalog.pg_attribute a where $1::xid is not null and a.attisdropped and ${written('a', 'a.attrelid')}`

function relationsOf(of?: ReadonlySet<string>): string {
  return !of || of.has('pg_class') ? relations : `${relations} and false`
}

const relations = `
  select c.oid::bigint as oid, ${inSchema} as name, case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
    when 'i' then 'index' when 'I' then 'index' when 'f' then 'foreign table' else 'table' end as kind,
    pg_catalog.pg_relation_filepath(c.oid) as storage, i.indrelid::bigint as "table"
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_index i on i.indexrelid = c.oid
  where ${written('c')} and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I') and ${own('n')}`
