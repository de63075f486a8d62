/** Rows that come back are no news: triggers of users do not fire for them, as they did when the rows first came. */
import type { Session } from '../../engines/engine.ts'

/** Foreign keys are still checked. Each trigger is afterwards as it was. */
export async function withoutUserTriggers<T>(session: Session, table: string, work: () => Promise<T>): Promise<T> {
  const { rows } = await session.query<{ relation: string; name: string; state: string }>(
    `select t.tgrelid::regclass::text as relation, quote_ident(t.tgname) as name, t.tgenabled::text as state
    from pg_catalog.pg_trigger t
    where not t.tgisinternal and t.tgenabled <> 'D'
      and t.tgrelid in (select relid from pg_catalog.pg_partition_tree(to_regclass($1)) union select to_regclass($1)::oid)
    order by 1, 2`,
    [table],
  )
  const parents = rows.map(({ relation, name }) => `alter table only ${relation} disable trigger ${name}`)
  if (parents.length > 0) await session.script(parents.join(';\n'))
  const result = await work()
  const back = rows.map(({ relation, name, state }) => {
    const how = state === 'A' ? 'enable always' : state === 'R' ? 'enable replica' : 'enable'
    return `alter table only ${relation} ${how} trigger ${name}`
  })
  await session.script(['set constraints all immediate', ...back].join(';\n'))
  return result
}
