/** Each down leads exactly to where its up began, with the rows that both sides can hold; also for an owner who is no superuser. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { diffSchemas } from '../../src/schema/diff.ts'
import type { Schema } from '../../src/schema/model.ts'
import { asUser, emptyDatabase, platformDatabase, withClient } from '../support/database.ts'
import { acme, addTwoTenants, asTenant, hoursLater, insertEvents } from './two-tenants.ts'

const folder = join(import.meta.dirname, '../../db/migrations/operational')

const migrations = readdirSync(folder)
  .filter(file => file.endsWith('.up.sql'))
  .sort()
  .map(file => ({
    slug: file.slice(0, -'.up.sql'.length),
    up: readFileSync(join(folder, file), 'utf8'),
    down: readFileSync(join(folder, file.replace(/\.up\.sql$/, '.down.sql')), 'utf8'),
  }))

async function catalog(url: string): Promise<Schema> {
  const engine = await engineOf(url)
  const session = await engine.open(url)
  try {
    return await session.introspect()
  } finally {
    await session.close()
  }
}

async function inOneTransaction(client: pg.Client, script: string): Promise<void> {
  await client.query('begin')
  await client.query(script)
  await client.query('commit')
}

test('every up has a down', () => {
  const files = readdirSync(folder).sort()
  expect(files).toEqual(migrations.flatMap(({ slug }) => [`${slug}.down.sql`, `${slug}.up.sql`]))
})

test('up, all the way down and up again: each step back finds the catalog that was there before', async () => {
  // Roles belong to the server: a database that needs them keeps this test from dropping them under another's feet.
  await platformDatabase()
  const { url } = await emptyDatabase()
  await withClient(url, async client => {
    const before = [await catalog(url)]
    for (const { up } of migrations) {
      await inOneTransaction(client, up)
      before.push(await catalog(url))
    }
    for (const [index, { slug, down }] of [...migrations.entries()].reverse()) {
      await inOneTransaction(client, down)
      expect(diffSchemas(before[index]!, await catalog(url)), `after the down of ${slug}`).toEqual([])
    }
    const left = await client.query(`select from pg_namespace where nspname = 'platform'`)
    expect(left.rowCount).toBe(0)
    for (const { up } of migrations) await inOneTransaction(client, up)
    expect(diffSchemas(before.at(-1)!, await catalog(url))).toEqual([])
    const roles = await client.query(
      `select from pg_roles where rolname in ('plinth_app', 'plinth_analytics', 'plinth_migrator')`,
    )
    expect(roles.rowCount).toBe(3)
  })
})

test('without partitions, usage waits in the default partition and goes back when they return', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await addTwoTenants(client)
    await client.query(insertEvents(acme, [{ at: hoursLater(24 * 14) }, { at: '2031-01-01T00:00:00Z' }]))
    const digest = async () =>
      (await client.query('select count(*), sum(hashtextextended(e::text, 0)) from platform.usage_events as e')).rows[0]
    const before = await digest()
    const migration = migrations.find(({ slug }) => slug.endsWith('_usage_event_partitions'))!

    await inOneTransaction(client, migration.down)
    expect(await digest()).toEqual(before)
    expect((await client.query('select row_count from platform.usage_event_default_rows')).rows).toEqual([
      { row_count: '4' },
    ])
    await client.query(insertEvents(acme, [{ at: hoursLater(1) }]))

    await inOneTransaction(client, migration.up)
    expect((await client.query('select row_count from platform.usage_event_default_rows')).rows).toEqual([
      { row_count: '1' },
    ])
    expect((await client.query('select from platform.usage_events')).rowCount).toBe(5)
  })
})

test('an owner who is no superuser gets a working platform, under the row security that it forces on itself', async () => {
  await platformDatabase()
  const { url, name } = await emptyDatabase()
  const owner = `test_owner_${randomBytes(6).toString('hex')}`
  await withClient(inject('serverUrl'), async admin => {
    await admin.query(`create role ${owner} login password 'owner' nosuperuser nobypassrls`)
    await admin.query(`grant plinth_migrator to ${owner}`)
    await admin.query(`alter database ${name} owner to ${owner}`)
  })
  onTestFinished(async () => {
    await withClient(inject('serverUrl'), async admin => {
      await admin.query(`drop database if exists ${name} with (force)`)
      await admin.query(`drop role ${owner}`)
    })
  })

  await withClient(asUser(url, owner, 'owner'), async client => {
    for (const { up } of migrations) await inOneTransaction(client, up)
    await addTwoTenants(client)
    await client.query(insertEvents(acme, [{ at: '2031-01-01T00:00:00Z' }]))
    const made = await client.query(
      `select moved_rows from platform.ensure_usage_event_partitions('2031-01-01Z', '2031-01-01Z')`,
    )
    expect(made.rows).toEqual([{ moved_rows: '1' }])
  })
  await withClient(url, async client => {
    await client.query('begin; set local role plinth_app')
    await client.query(`set local plinth.organization_id = '${acme.organizationId}'`)
    await client.query(insertEvents(acme, [{ at: hoursLater(1) }]))
    await client.query(
      `insert into platform.audit_log_entries (organization_id, actor_kind, actor_id, action)
       values ('${acme.organizationId}', 'user', 'somebody', 'keys.rotated')`,
    )
    await client.query('commit')
    await asTenant(client, acme.organizationId, async () => {
      expect((await client.query('select from platform.usage_events')).rowCount).toBe(3)
      expect((await client.query('select platform.verify_audit_chain($1) as at', [acme.organizationId])).rows).toEqual([
        { at: null },
      ])
    })
    const marked = await client.query('select from platform.usage_event_marks where bucket_hour = $1 and shard = $2', [
      hoursLater(1),
      acme.shard,
    ])
    expect(marked.rowCount).toBe(1)
  })
  await withClient(asUser(url, owner, 'owner'), async client => {
    const events = await client.query('select from platform.usage_events')
    expect(events.rowCount).toBe(4)
    for (const { down } of [...migrations].reverse()) await inOneTransaction(client, down)
    const left = await client.query(`select from pg_namespace where nspname = 'platform'`)
    expect(left.rowCount).toBe(0)
  })
})

test('an owner who may not act as the migrator is told what to ask for', async () => {
  await platformDatabase()
  const { url, name } = await emptyDatabase()
  const owner = `test_owner_${randomBytes(6).toString('hex')}`
  await withClient(inject('serverUrl'), async admin => {
    await admin.query(`create role ${owner} login password 'owner' nosuperuser`)
    await admin.query(`alter database ${name} owner to ${owner}`)
  })
  onTestFinished(async () => {
    await withClient(inject('serverUrl'), async admin => {
      await admin.query(`drop database if exists ${name} with (force)`)
      await admin.query(`drop role ${owner}`)
    })
  })
  await withClient(asUser(url, owner, 'owner'), async client => {
    const refusal = await client.query(migrations[0]!.up).catch((error: unknown) => error)
    expect(refusal).toMatchObject({
      code: '42501',
      hint: `Let an administrator run: grant plinth_migrator to ${owner};`,
    })
  })
})
