/** Which relations a transaction has touched, so that whoever knew the catalog before reads only these again. */
import type { Since } from '../../engines/engine.ts'
import type { Schema } from '../../schema/model.ts'
import type { Known } from './known.ts'

export interface Touched {
  /** Oids of relations of which anything was written, and of those whose definition or policies name one of them. */
  readonly relations: readonly number[]
  /** The body of a routine names one of them. */
  readonly routines: boolean
}

/** Rows that this transaction wrote are younger than its beginning, which is `$1`. */
const written = (alias: string) => `pg_catalog.age(${alias}.xmin) <= pg_catalog.age($1::xid)`

const lists: readonly (readonly [catalog: string, relation: string])[] = [
  ['pg_attribute', 'attrelid'],
  ['pg_attrdef', 'adrelid'],
  ['pg_constraint', 'conrelid'],
  ['pg_index', 'indrelid'],
  ['pg_trigger', 'tgrelid'],
  ['pg_policy', 'polrelid'],
  ['pg_rewrite', 'ev_class'],
  ['pg_sequence', 'seqrelid'],
  ['pg_inherits', 'inhrelid'],
  ['pg_inherits', 'inhparent'],
  ['pg_partitioned_table', 'partrelid'],
]

const described: readonly (readonly [catalog: string, relation: string])[] = [
  ['pg_constraint', 'conrelid'],
  ['pg_trigger', 'tgrelid'],
  ['pg_policy', 'polrelid'],
]

export const touchedQuery = `
with own as materialized (
  select c.oid from pg_catalog.pg_class c where c.oid >= 16384 and ${written('c')}
  ${lists.map(([catalog, relation]) => `union select x.${relation} from pg_catalog.${catalog} x where x.${relation} >= 16384 and ${written('x')}`).join('\n  ')}
  union select d.objoid from pg_catalog.pg_description d where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objoid >= 16384 and ${written('d')}
  ${described.map(([catalog, relation]) => `union select x.${relation} from pg_catalog.pg_description d join pg_catalog.${catalog} x on x.oid = d.objoid where d.classoid = 'pg_catalog.${catalog}'::pg_catalog.regclass and d.objoid >= 16384 and ${written('d')}`).join('\n  ')}
), named as materialized (
  select d.classid, d.objid from pg_catalog.pg_depend d join own on own.oid = d.refobjid
  where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
), relation as (
  select own.oid from own
  union select i.indrelid from pg_catalog.pg_index i join own on own.oid = i.indexrelid
  union select w.ev_class from pg_catalog.pg_rewrite w join named on named.objid = w.oid and named.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  union select p.polrelid from pg_catalog.pg_policy p join named on named.objid = p.oid and named.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
)
select (select coalesce(json_agg(relation.oid::bigint), '[]') from relation) as relations,
  exists (select from named where named.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass) as routines`

/** Writes to these change only what a look at their relations tells, or what is read in any case and named in nothing else. */
const ofRelations: ReadonlySet<string> = new Set([
  ...lists.map(([catalog]) => catalog),
  'pg_class',
  'pg_default_acl',
  'pg_depend',
  'pg_description',
  'pg_enum',
  'pg_namespace',
  'pg_proc',
  'pg_publication',
  'pg_publication_namespace',
  'pg_publication_rel',
  'pg_shdepend',
  'pg_statistic',
  'pg_statistic_ext',
  'pg_statistic_ext_data',
  'pg_type',
])

export interface Change {
  /** Catalogs that were written, each with how many rows went. */
  readonly catalogs: ReadonlyMap<string, { readonly drops: number }>
  readonly known: Known
  readonly touched: Touched
}

/**
 * Null where a name that changed may stand in anything, or something changed that is not told by relations: then everything has to be read. A
 * comment that went says no more what it was about.
 */
export function sinceOf(schema: Schema, { catalogs, known, touched }: Change): Since | null {
  const changed = known.changed()
  const isRenamed = changed.some(([then, now]) => then && now && then.name !== now.name)
  const isTold = [...catalogs.keys()].every(name => ofRelations.has(name))
  if (isRenamed || !isTold || (catalogs.get('pg_description')?.drops ?? 0) > 0) return null
  const objects = new Set(
    changed.flatMap(([then]) => (then ? [then.name, ...(then.of === null ? [] : [then.of])] : [])),
  )
  const relations = new Set(touched.relations)
  for (const [oid, { name }] of known.relations) if (objects.has(name)) relations.add(oid)
  const names = new Set(objects)
  for (const oid of relations) {
    for (const relation of [known.relationAtBegin(oid), known.relations.get(oid)])
      if (relation) names.add(relation.name)
  }
  const routines = touched.routines || catalogs.has('pg_proc') ? 'changed' : 'same'
  return { schema, relations: [...relations], names, routines }
}
