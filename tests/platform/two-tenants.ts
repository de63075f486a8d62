/** A platform with two tenants, each with a user, a key, a model and an event of its own, and one model that is everybody's. */
import type pg from 'pg'

export interface Tenant {
  readonly organizationId: string
  readonly slug: string
  readonly userId: string
  readonly apiKeyId: string
  readonly modelId: string
  /** As platform.organization_shard answers it: the last byte of the organization's id. */
  readonly shard: number
}

export const acme: Tenant = {
  organizationId: '10000000-0000-4000-8000-000000000001',
  slug: 'acme',
  userId: '20000000-0000-4000-8000-000000000001',
  apiKeyId: '30000000-0000-4000-8000-000000000001',
  modelId: '40000000-0000-4000-8000-000000000001',
  shard: 1,
}

export const beta: Tenant = {
  organizationId: '10000000-0000-4000-8000-000000000002',
  slug: 'beta',
  userId: '20000000-0000-4000-8000-000000000002',
  apiKeyId: '30000000-0000-4000-8000-000000000002',
  modelId: '40000000-0000-4000-8000-000000000002',
  shard: 2,
}

export const globalModelId = '40000000-0000-4000-8000-0000000000ff'

/** The start of an hour that has a partition, a few days before the present one, so that hours around it have partitions too. */
export const knownHour = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3 * 86_400_000)

export function hoursLater(hours: number): string {
  return new Date(knownHour.getTime() + hours * 3_600_000).toISOString()
}

export async function addTwoTenants(client: pg.Client): Promise<void> {
  await client.query(
    `insert into platform.model_registry_entries (id, name, target, cost_per_1k_tokens)
     values ('${globalModelId}', 'swift', 'managed', 0.5)`,
  )
  for (const tenant of [acme, beta]) {
    await client.query(`
      insert into platform.organizations (id, slug, display_name, plan_tier, monthly_token_budget)
      values ('${tenant.organizationId}', '${tenant.slug}', '${tenant.slug}', 'growth', 1000000);

      insert into platform.users (organization_id, id, email_ciphertext, email_hash, role, status)
      values ('${tenant.organizationId}', '${tenant.userId}', ${envelope}, sha256('${tenant.slug}'), 'owner', 'active');

      insert into platform.api_keys (organization_id, id, name, secret_hash, created_by_user_id)
      values ('${tenant.organizationId}', '${tenant.apiKeyId}', 'main', sha256('${tenant.slug}'), '${tenant.userId}');

      insert into platform.model_registry_entries (id, organization_id, name, target, cost_per_1k_tokens)
      values ('${tenant.modelId}', '${tenant.organizationId}', 'own', 'self_hosted', 0.1);

      insert into platform.audit_log_entries (organization_id, actor_kind, actor_id, action)
      values ('${tenant.organizationId}', 'user', '${tenant.userId}', 'organizations.created');
    `)
    await client.query(insertEvents(tenant, [{}]))
  }
}

/** Bytes that look like what the cipher seals, as an SQL expression. */
export const envelope = `'\\x01'::bytea || decode(repeat('ab', 60), 'hex')`

export interface Event {
  readonly at?: string
  readonly id?: string
  readonly modelId?: string
  readonly apiKeyId?: string
  readonly table?: string
}

/** One statement that inserts events of a tenant; what is not said is an ordinary event at the known hour. */
export function insertEvents(tenant: Tenant, events: readonly Event[], table = 'platform.usage_events'): string {
  const rows = events.map(
    event =>
      `('${tenant.organizationId}', ${event.id ? `'${event.id}'` : 'gen_random_uuid()'}, '${event.at ?? hoursLater(0)}', ` +
      `'${event.apiKeyId ?? tenant.apiKeyId}', '${event.modelId ?? globalModelId}', 100, 20, 350, 'eu-west-1', 0.06)`,
  )
  return `insert into ${table}
    (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, region, cost)
    values ${rows.join(', ')}`
}

/** Works as a service does: under plinth_app, for one tenant, in a transaction that is rolled back. */
export async function asTenant<T>(client: pg.Client, setting: string | null, work: () => Promise<T>): Promise<T> {
  await client.query('begin')
  try {
    await client.query('set local role plinth_app')
    if (setting !== null) await client.query(`select set_config('plinth.organization_id', $1, true)`, [setting])
    return await work()
  } finally {
    await client.query('rollback')
  }
}

export interface Outcome {
  /** SQLSTATE, or null when the statement went through. */
  readonly refused: string | null
  readonly rowCount: number
  readonly error: pg.DatabaseError | null
}

/** Tries a statement inside the open transaction and goes on whatever happens. */
export async function attempt(client: pg.Client, text: string): Promise<Outcome> {
  await client.query('savepoint attempt')
  try {
    const { rowCount } = await client.query(text)
    await client.query('release savepoint attempt')
    return { refused: null, rowCount: rowCount ?? 0, error: null }
  } catch (error) {
    await client.query('rollback to savepoint attempt')
    const refusal = error as pg.DatabaseError
    return { refused: refusal.code ?? 'unknown', rowCount: 0, error: refusal }
  }
}
