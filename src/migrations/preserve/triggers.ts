/** Rows that come back are no news: triggers and rules of users do not see them, as they did when the rows first came. */
import type { Session } from '../../engines/engine.ts'

/** Foreign keys are still checked. Each trigger and rule is afterwards as it was. */
export async function withoutUserTriggers<T>(session: Session, table: string, work: () => Promise<T>): Promise<T> {
  const { rows } = await session.query<{ relation: string; what: string; name: string; state: string }>(
    `with tree as (select relid::oid as oid from pg_catalog.pg_partition_tree(to_regclass($1)) union select to_regclass($1)::oid)
    select t.tgrelid::regclass::text as relation, 'trigger' as what, quote_ident(t.tgname) as name, t.tgenabled::text as state
    from pg_catalog.pg_trigger t
    where not t.tgisinternal and t.tgenabled <> 'D' and t.tgrelid in (select oid from tree)
    union all
    select r.ev_class::regclass::text, 'rule', quote_ident(r.rulename), r.ev_enabled::text
    from pg_catalog.pg_rewrite r
    where r.ev_type <> '1' and r.ev_enabled <> 'D' and r.ev_class in (select oid from tree)
    order by 1, 2, 3`,
    [table],
  )
  const off = rows.map(({ relation, what, name }) => `alter table only ${relation} disable ${what} ${name}`)
  if (off.length > 0) await session.script(off.join(';\n'))
  const result = await work()
  const back = rows.map(({ relation, what, name, state }) => {
    const how = state === 'A' ? 'enable always' : state === 'R' ? 'enable replica' : 'enable'
    return `alter table only ${relation} ${how} ${what} ${name}`
  })
  await session.script(['set constraints all immediate', ...back].join(';\n'))
  return result
}
