/** What must hold for every object of the platform, read from the catalog, so that the next table cannot forget it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { platformDatabase, withClient } from '../support/database.ts'

async function query<R extends pg.QueryResultRow>(text: string): Promise<R[]> {
  const { url } = await platformDatabase()
  return withClient(url, async client => (await client.query<R>(text)).rows)
}

test('every table, column, view and function says what it is for', async () => {
  const silent = await query(`
    select 'table or view ' || relname as object
    from pg_class
    where relnamespace = 'platform'::regnamespace and relkind in ('r', 'p', 'v', 'm')
      and coalesce(obj_description(oid, 'pg_class'), '') !~ '[.]$'
    union all
    select 'column ' || relname || '.' || attname
    from pg_attribute
    join pg_class on pg_class.oid = attrelid
    where relnamespace = 'platform'::regnamespace and relkind in ('r', 'p', 'v', 'm') and attnum > 0 and not attisdropped
      and relname <> 'usage_events_default'
      and coalesce(col_description(attrelid, attnum), '') !~ '[.]$'
    union all
    select 'function ' || proname
    from pg_proc
    where pronamespace = 'platform'::regnamespace and coalesce(obj_description(oid, 'pg_proc'), '') !~ '[.]$'
    union all
    select 'schema ' || nspname
    from pg_namespace
    where nspname = 'platform' and coalesce(obj_description(oid, 'pg_namespace'), '') !~ '[.]$'`)
  expect(silent).toEqual([])
})

test('every table has row security, forced on its owner as well, and a policy', async () => {
  const open = await query(`
    select relname
    from pg_class
    where relnamespace = 'platform'::regnamespace and relkind in ('r', 'p')
      and not (relrowsecurity and relforcerowsecurity and exists (select from pg_policy where polrelid = pg_class.oid))`)
  expect(open).toEqual([])
})

test('a policy for tenants compares a column with the tenant, for what is read and for what is written', async () => {
  const policies = await query<{ table: string; command: string; condition: string; check: string | null }>(`
    select
      polrelid::regclass::text as table,
      polcmd as command,
      pg_get_expr(polqual, polrelid) as condition,
      pg_get_expr(polwithcheck, polrelid) as check
    from pg_policy
    where 'plinth_app'::regrole = any (polroles)
    order by 1, 2`)
  expect(policies.length).toBeGreaterThan(0)
  for (const policy of policies) {
    expect(policy.condition, policy.table).toContain('platform.current_organization_id()')
    if (policy.command !== 'r') expect(policy.check, policy.table).toBe(policy.condition)
  }
  const unnamed = await query(`
    select polname from pg_policy join pg_class on pg_class.oid = polrelid
    where relnamespace = 'platform'::regnamespace and polroles = array[0::oid]`)
  expect(unnamed, 'policies for everybody').toEqual([])
})

test('nothing is granted to everybody', async () => {
  const granted = await query(`
    select 'table ' || relname as object
    from pg_class, aclexplode(relacl) as acl
    where relnamespace = 'platform'::regnamespace and acl.grantee = 0
    union all
    select 'function ' || proname
    from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) as acl
    where pronamespace = 'platform'::regnamespace and acl.grantee = 0
    union all
    select 'schema ' || nspname
    from pg_namespace, aclexplode(nspacl) as acl
    where nspname = 'platform' and acl.grantee = 0`)
  expect(granted).toEqual([])
})

test('every function fixes its search path or is bound when it is created', async () => {
  const loose = await query(`
    select proname
    from pg_proc
    where pronamespace = 'platform'::regnamespace
      and prosqlbody is null
      and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)`)
  expect(loose).toEqual([])
})

test('functions that run with the owner’s rights are these, and each is open to no more than these roles', async () => {
  const definers = await query<{ function: string; roles: string[] }>(`
    select
      proname as function,
      array(
        select rolname::text
        from pg_roles
        where rolname ~ '^plinth_' and has_function_privilege(pg_roles.oid, pg_proc.oid, 'execute')
        order by rolname
      ) as roles
    from pg_proc
    where pronamespace = 'platform'::regnamespace and prosecdef
    order by proname`)
  expect(definers).toEqual([
    { function: 'check_usage_event_models', roles: [] },
    { function: 'drop_usage_event_partitions', roles: ['plinth_migrator'] },
    { function: 'ensure_usage_event_partitions', roles: ['plinth_migrator'] },
    { function: 'find_api_key', roles: ['plinth_app', 'plinth_migrator'] },
    { function: 'find_organization', roles: ['plinth_app', 'plinth_migrator'] },
    { function: 'mark_usage_events', roles: [] },
    { function: 'retire_usage_event_partitions', roles: ['plinth_migrator'] },
    { function: 'seal_audit_log_entries', roles: [] },
  ])
})

test('every constraint and index is named after its table and says what it is', async () => {
  const misnamed = await query(`
    select conrelid::regclass || ' ' || conname as name
    from pg_constraint
    join pg_class on pg_class.oid = conrelid
    where relnamespace = 'platform'::regnamespace and not relispartition and contype in ('p', 'u', 'c', 'f')
      and conname !~ ('^' || relname || case contype when 'p' then '_pk$' when 'u' then '_.+_key$' when 'c' then '_.+_check$' else '_.+_fk$' end)
    union all
    select indexrelid::regclass::text
    from pg_index
    join pg_class on pg_class.oid = indrelid
    where relnamespace = 'platform'::regnamespace and not relispartition
      and split_part(indexrelid::regclass::text, '.', 2) !~ ('^' || relname || '_(pk|.+_(key|idx|brin))$')`)
  expect(misnamed).toEqual([])
})

test('every foreign key that a delete must look up has an index that leads with its columns', async () => {
  const slow = await query(`
    select conrelid::regclass || ' ' || conname as name
    from pg_constraint
    join pg_class on pg_class.oid = conrelid
    where relnamespace = 'platform'::regnamespace and not relispartition and contype = 'f'
      and not exists (
        select
        from pg_index
        where indrelid = conrelid
          and indpred is null
          and (
            select array_agg(column_number)
            from unnest(indkey::smallint[]) with ordinality as key (column_number, place)
            where place <= cardinality(conkey)
          ) @> conkey
      )`)
  expect(slow, 'models are never deleted').toEqual([{ name: 'platform.usage_events usage_events_model_fk' }])
})

test('a foreign key between tables of tenants carries the tenant', async () => {
  const loose = await query(`
    select conrelid::regclass || ' ' || conname as name
    from pg_constraint
    join pg_class on pg_class.oid = conrelid
    where relnamespace = 'platform'::regnamespace and not relispartition and contype = 'f'
      and confrelid <> 'platform.organizations'::regclass
      and not exists (
        select
        from pg_attribute
        where attrelid = conrelid and attnum = any (conkey) and attname in ('organization_id', 'chain_id')
      )`)
  expect(loose, 'a trigger holds this one to its tenant').toEqual([
    { name: 'platform.usage_events usage_events_model_fk' },
  ])
})

test('every column of every table is classified, and nothing else is', async () => {
  const file = join(import.meta.dirname, '../../configs/data-classification.yml')
  const { tables } = parse(readFileSync(file, 'utf8')) as {
    tables: Record<string, { columns: Record<string, { class: string; protection: string }> }>
  }
  const classified = Object.entries(tables)
    .filter(([table]) => table.startsWith('platform.'))
    .flatMap(([table, { columns }]) => Object.keys(columns).map(column => `${table}.${column}`))
  const columns = await query<{ name: string }>(`
    select format('platform.%s.%s', relname, attname) as name
    from pg_attribute
    join pg_class on pg_class.oid = attrelid
    where relnamespace = 'platform'::regnamespace and relkind in ('r', 'p') and not relispartition
      and attnum > 0 and not attisdropped`)
  expect(classified.sort()).toEqual(columns.map(({ name }) => name).sort())
  const restricted = Object.values(tables).flatMap(table =>
    Object.values(table.columns).filter(column => column.class === 'restricted'),
  )
  expect(restricted.filter(column => column.protection === 'none')).toEqual([])
})
