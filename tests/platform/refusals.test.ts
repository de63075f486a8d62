/** Invalid values and relations are refused by the database, under a constraint whose name says what is wrong. */
import { describe, expect, test } from 'vitest'
import { platformDatabase, withClient } from '../support/database.ts'
import { acme, addTwoTenants, attempt, beta, envelope, globalModelId, hoursLater, insertEvents } from './two-tenants.ts'

interface Case {
  readonly title: string
  readonly sql: string
  readonly sqlState: string
  /** A partition names its own copy of the primary key. */
  readonly constraint: string | RegExp
  /** What the message must tell; constraint names tell it where it is left out. */
  readonly message?: RegExp
}

const checkViolation = '23514'
const foreignKeyViolation = '23503'
const uniqueViolation = '23505'
const notNullViolation = '23502'
const restrictViolation = '23001'

const nobody = '99999999-9999-4999-8999-999999999999'

function organization(values: Readonly<Record<string, string>>): string {
  return insert('organizations', { slug: `'fresh'`, display_name: `'Fresh'`, ...values })
}

function user(values: Readonly<Record<string, string>>): string {
  return insert('users', {
    organization_id: `'${acme.organizationId}'`,
    email_ciphertext: envelope,
    email_hash: `sha256('fresh')`,
    ...values,
  })
}

function apiKey(values: Readonly<Record<string, string>>): string {
  return insert('api_keys', {
    organization_id: `'${acme.organizationId}'`,
    name: `'fresh'`,
    secret_hash: `sha256('fresh')`,
    ...values,
  })
}

function model(values: Readonly<Record<string, string>>): string {
  return insert('model_registry_entries', { name: `'fresh'`, target: `'managed'`, cost_per_1k_tokens: '1', ...values })
}

function event(values: Readonly<Record<string, string>>): string {
  return insert('usage_events', {
    organization_id: `'${acme.organizationId}'`,
    event_id: 'gen_random_uuid()',
    occurred_at: `'${hoursLater(0)}'`,
    api_key_id: `'${acme.apiKeyId}'`,
    model_id: `'${globalModelId}'`,
    region: `'eu-west-1'`,
    ...values,
  })
}

function auditEntry(values: Readonly<Record<string, string>>): string {
  return insert('audit_log_entries', {
    organization_id: `'${acme.organizationId}'`,
    actor_kind: `'user'`,
    actor_id: `'somebody'`,
    action: `'users.invited'`,
    ...values,
  })
}

function insert(table: string, values: Readonly<Record<string, string>>): string {
  return `insert into platform.${table} (${Object.keys(values).join(', ')}) values (${Object.values(values).join(', ')})`
}

const cases: Readonly<Record<string, readonly Case[]>> = {
  organizations: [
    ...[
      `'Acme'`,
      `'9lives'`,
      `'a'`,
      `'two--hyphens'`,
      `'trailing-'`,
      `'under_score'`,
      `''`,
      `repeat('a', 64)`,
      `E'line\\nbreak'`,
    ].map(slug => ({
      title: `the slug ${slug}`,
      sql: organization({ slug }),
      sqlState: checkViolation,
      constraint: 'organizations_slug_format_check',
    })),
    {
      title: 'a slug that is taken',
      sql: organization({ slug: `'acme'` }),
      sqlState: uniqueViolation,
      constraint: 'organizations_slug_key',
    },
    {
      title: 'a slug that a deleted organization had',
      sql: `update platform.organizations set deleted_at = now() where slug = 'acme'; ${organization({ slug: `'acme'` })}`,
      sqlState: uniqueViolation,
      constraint: 'organizations_slug_key',
    },
    {
      title: 'another slug for the same organization',
      sql: `update platform.organizations set slug = 'renamed' where slug = 'acme'`,
      sqlState: checkViolation,
      constraint: 'organizations_slug_immutable',
      message: /^platform\.organizations\.slug is immutable\.$/,
    },
    {
      title: 'another id for the same organization',
      sql: `update platform.organizations set id = gen_random_uuid() where slug = 'acme'`,
      sqlState: checkViolation,
      constraint: 'organizations_id_immutable',
    },
    {
      title: 'the nil uuid',
      sql: organization({ id: `'00000000-0000-0000-0000-000000000000'` }),
      sqlState: checkViolation,
      constraint: 'organizations_id_not_nil_check',
    },
    {
      title: 'a name of blanks',
      sql: organization({ display_name: `'  '` }),
      sqlState: checkViolation,
      constraint: 'organizations_display_name_length_check',
    },
    {
      title: 'an unknown plan',
      sql: organization({ plan_tier: `'gold'` }),
      sqlState: checkViolation,
      constraint: 'organizations_plan_tier_check',
    },
    {
      title: 'a budget below zero',
      sql: organization({ monthly_token_budget: '-1' }),
      sqlState: checkViolation,
      constraint: 'organizations_monthly_token_budget_not_negative_check',
    },
    {
      title: 'an unknown status',
      sql: organization({ status: `'paused'` }),
      sqlState: checkViolation,
      constraint: 'organizations_status_check',
    },
    {
      title: 'a deletion before the creation',
      sql: organization({ deleted_at: `now() - interval '1 day'` }),
      sqlState: checkViolation,
      constraint: 'organizations_deleted_after_created_check',
    },
    {
      title: 'removal while something belongs to it',
      sql: `delete from platform.organizations where slug = 'acme'`,
      sqlState: foreignKeyViolation,
      constraint: 'users_organization_fk',
    },
  ],
  users: [
    {
      title: 'an organization that does not exist',
      sql: user({ organization_id: `'${nobody}'` }),
      sqlState: foreignKeyViolation,
      constraint: 'users_organization_fk',
    },
    ...[
      `'somebody@example.com'`,
      `'\\x01'`,
      `'\\x02' || decode(repeat('ab', 60), 'hex')`,
      `decode(repeat('01', 4097), 'hex')`,
    ].map(bytes => ({
      title: `an e-mail stored as ${bytes}`,
      sql: user({ email_ciphertext: bytes }),
      sqlState: checkViolation,
      constraint: 'users_email_ciphertext_envelope_check',
    })),
    {
      title: 'an e-mail as text, however long',
      sql: user({ email_ciphertext: `convert_to(repeat('a', 80) || '@example.com', 'UTF8')` }),
      sqlState: checkViolation,
      constraint: 'users_email_ciphertext_envelope_check',
    },
    {
      title: 'a hash that is not 32 bytes',
      sql: user({ email_hash: `'\\xabcd'` }),
      sqlState: checkViolation,
      constraint: 'users_email_hash_length_check',
    },
    {
      title: 'a living user without e-mail',
      sql: user({ email_ciphertext: 'null', email_hash: 'null' }),
      sqlState: checkViolation,
      constraint: 'users_email_present_check',
    },
    {
      title: 'an e-mail twice in one organization',
      sql: user({ email_hash: `sha256('acme')` }),
      sqlState: uniqueViolation,
      constraint: 'users_email_hash_key',
    },
    {
      title: 'an unknown role',
      sql: user({ role: `'root'` }),
      sqlState: checkViolation,
      constraint: 'users_role_check',
    },
    {
      title: 'an unknown status',
      sql: user({ status: `'asleep'` }),
      sqlState: checkViolation,
      constraint: 'users_status_check',
    },
    {
      title: 'a move to another organization',
      sql: `update platform.users set organization_id = '${beta.organizationId}' where id = '${acme.userId}'`,
      sqlState: checkViolation,
      constraint: 'users_organization_id_immutable',
    },
  ],
  api_keys: [
    {
      title: 'a creator of another organization',
      sql: apiKey({ created_by_user_id: `'${beta.userId}'` }),
      sqlState: foreignKeyViolation,
      constraint: 'api_keys_created_by_user_fk',
    },
    {
      title: 'an organization that does not exist',
      sql: apiKey({ organization_id: `'${nobody}'` }),
      sqlState: foreignKeyViolation,
      constraint: 'api_keys_organization_fk',
    },
    {
      title: 'a name twice among living keys',
      sql: apiKey({ name: `'main'` }),
      sqlState: uniqueViolation,
      constraint: 'api_keys_name_key',
    },
    {
      title: 'a secret twice, whoever has it',
      sql: apiKey({ secret_hash: `sha256('beta')` }),
      sqlState: uniqueViolation,
      constraint: 'api_keys_secret_hash_key',
    },
    {
      title: 'a secret that is not hashed',
      sql: apiKey({ secret_hash: `'plinth_live_0123456789'` }),
      sqlState: checkViolation,
      constraint: 'api_keys_secret_hash_length_check',
    },
    ...[`array['']`, `array['Usage:Write']`, `array['a', null]`, `array['with space']`].map(scopes => ({
      title: `the scopes ${scopes}`,
      sql: apiKey({ scopes }),
      sqlState: checkViolation,
      constraint: 'api_keys_scopes_format_check',
    })),
    {
      title: 'no scope at all',
      sql: apiKey({ scopes: `'{}'` }),
      sqlState: checkViolation,
      constraint: 'api_keys_scopes_count_check',
    },
    {
      title: 'an unknown status',
      sql: apiKey({ status: `'lost'` }),
      sqlState: checkViolation,
      constraint: 'api_keys_status_check',
    },
    {
      title: 'a name of blanks',
      sql: apiKey({ name: `' '` }),
      sqlState: checkViolation,
      constraint: 'api_keys_name_length_check',
    },
    {
      title: 'a move to another organization',
      sql: `update platform.api_keys set organization_id = '${beta.organizationId}' where id = '${acme.apiKeyId}'`,
      sqlState: checkViolation,
      constraint: 'api_keys_organization_id_immutable',
    },
    {
      title: 'removal while usage refers to it',
      sql: `delete from platform.api_keys where id = '${acme.apiKeyId}'`,
      sqlState: foreignKeyViolation,
      constraint: 'usage_events_api_key_fk',
    },
  ],
  model_registry_entries: [
    {
      title: 'a revision twice for one tenant',
      sql: model({ organization_id: `'${acme.organizationId}'`, name: `'own'` }),
      sqlState: uniqueViolation,
      constraint: 'model_registry_entries_revision_key',
    },
    {
      title: 'a revision twice for everybody',
      sql: model({ name: `'swift'` }),
      sqlState: uniqueViolation,
      constraint: 'model_registry_entries_revision_key',
    },
    {
      title: 'an organization that does not exist',
      sql: model({ organization_id: `'${nobody}'` }),
      sqlState: foreignKeyViolation,
      constraint: 'model_registry_entries_organization_fk',
    },
    {
      title: 'revision 0',
      sql: model({ revision: '0' }),
      sqlState: checkViolation,
      constraint: 'model_registry_entries_revision_positive_check',
    },
    {
      title: 'an unknown target',
      sql: model({ target: `'moon'` }),
      sqlState: checkViolation,
      constraint: 'model_registry_entries_target_check',
    },
    ...['-0.01', `'NaN'`].map(cost => ({
      title: `the price ${cost}`,
      sql: model({ cost_per_1k_tokens: cost }),
      sqlState: checkViolation,
      constraint: 'model_registry_entries_cost_not_negative_check',
    })),
    {
      title: 'metadata that is no object',
      sql: model({ metadata: `'[]'` }),
      sqlState: checkViolation,
      constraint: 'model_registry_entries_metadata_object_check',
    },
    {
      title: 'a name with blanks',
      sql: model({ name: `'a model'` }),
      sqlState: checkViolation,
      constraint: 'model_registry_entries_name_format_check',
    },
    ...[
      `update platform.model_registry_entries set cost_per_1k_tokens = 2`,
      `delete from platform.model_registry_entries`,
    ].map(sql => ({
      title: sql.startsWith('update') ? 'another price for the same revision' : 'removal of a revision',
      sql,
      sqlState: restrictViolation,
      constraint: 'model_registry_entries_append_only',
      message: /^platform\.model_registry_entries is append-only: (update|delete) is refused\.$/,
    })),
    {
      title: 'truncate',
      sql: 'truncate platform.model_registry_entries cascade',
      sqlState: restrictViolation,
      constraint: 'model_registry_entries_append_only',
    },
  ],
  usage_events: [
    {
      title: 'a key of another organization',
      sql: insertEvents(acme, [{ apiKeyId: beta.apiKeyId }]),
      sqlState: foreignKeyViolation,
      constraint: 'usage_events_api_key_fk',
    },
    {
      title: 'a model of another organization',
      sql: insertEvents(acme, [{}, { modelId: beta.modelId }]),
      sqlState: foreignKeyViolation,
      constraint: 'usage_events_model_of_organization',
      message: /^A usage event uses a model that its organization does not have\.$/,
    },
    {
      title: 'a model of another organization, written to a partition',
      sql: insertEvents(acme, [{ at: '2031-05-05T00:00:00Z', modelId: beta.modelId }], 'platform.usage_events_default'),
      sqlState: foreignKeyViolation,
      constraint: 'usage_events_model_of_organization',
    },
    {
      title: 'a change to a model of another organization',
      sql: `update platform.usage_events set model_id = '${beta.modelId}' where organization_id = '${acme.organizationId}'`,
      sqlState: foreignKeyViolation,
      constraint: 'usage_events_model_of_organization',
    },
    {
      title: 'a model that does not exist',
      sql: insertEvents(acme, [{ modelId: nobody }]),
      sqlState: foreignKeyViolation,
      constraint: 'usage_events_model_fk',
    },
    {
      title: 'the same event twice',
      sql: insertEvents(acme, [{ id: nobody }, { id: nobody }]),
      sqlState: uniqueViolation,
      constraint: /^usage_events_\d{8}_pkey$/,
    },
    ...['input_tokens', 'output_tokens', 'latency_ms'].map(column => ({
      title: `${column} below zero`,
      sql: event({ [column]: '-1' }),
      sqlState: checkViolation,
      constraint: `usage_events_${column}_not_negative_check`,
    })),
    ...['-0.01', `'NaN'`].map(cost => ({
      title: `the cost ${cost}`,
      sql: event({ cost }),
      sqlState: checkViolation,
      constraint: 'usage_events_cost_not_negative_check',
    })),
    {
      title: 'an unknown status',
      sql: event({ status: `'maybe'` }),
      sqlState: checkViolation,
      constraint: 'usage_events_status_check',
    },
    {
      title: 'an error code for a success',
      sql: event({ error_code: `'timeout'` }),
      sqlState: checkViolation,
      constraint: 'usage_events_error_code_check',
    },
    ...[`'infinity'`, `'-infinity'`, `'1970-01-01T00:00:00Z'`, `'58574-01-01T00:00:00Z'`].map(occurred_at => ({
      title: `the time ${occurred_at}`,
      sql: event({ occurred_at }),
      sqlState: checkViolation,
      constraint: 'usage_events_occurred_at_range_check',
    })),
    {
      title: 'no region',
      sql: event({ region: `''` }),
      sqlState: checkViolation,
      constraint: 'usage_events_region_format_check',
    },
  ],
  audit_log_entries: [
    {
      title: 'an organization that does not exist',
      sql: auditEntry({ organization_id: `'${nobody}'` }),
      sqlState: foreignKeyViolation,
      constraint: 'audit_log_entries_organization_fk',
    },
    {
      title: 'an unknown kind of actor',
      sql: auditEntry({ actor_kind: `'ghost'` }),
      sqlState: checkViolation,
      constraint: 'audit_log_entries_actor_kind_check',
    },
    {
      title: 'an action that names no subject',
      sql: auditEntry({ action: `'deleted'` }),
      sqlState: checkViolation,
      constraint: 'audit_log_entries_action_format_check',
    },
    {
      title: 'half a subject',
      sql: auditEntry({ subject_kind: `'user'` }),
      sqlState: checkViolation,
      constraint: 'audit_log_entries_subject_together_check',
    },
    {
      title: 'a context that is no object',
      sql: auditEntry({ context: `'"text"'` }),
      sqlState: checkViolation,
      constraint: 'audit_log_entries_context_object_check',
    },
    {
      title: 'a time without end',
      sql: auditEntry({ occurred_at: `'infinity'` }),
      sqlState: checkViolation,
      constraint: 'audit_log_entries_occurred_at_finite_check',
    },
    ...['update platform.audit_log_entries set action = $$a.b$$', 'delete from platform.audit_log_entries'].map(
      sql => ({
        title: sql.split(' ')[0]!,
        sql,
        sqlState: restrictViolation,
        constraint: 'audit_log_entries_append_only',
      }),
    ),
    {
      title: 'truncate',
      sql: 'truncate platform.audit_log_entries cascade',
      sqlState: restrictViolation,
      constraint: 'audit_log_entries_append_only',
    },
  ],
  audit_log_seals: [
    'update platform.audit_log_seals set position = 9',
    'delete from platform.audit_log_seals',
    'truncate platform.audit_log_seals',
  ].map(sql => ({
    title: sql.split(' ')[0]!,
    sql,
    sqlState: restrictViolation,
    constraint: 'audit_log_seals_append_only',
  })),
  usage_event_marks: [
    {
      title: 'a time that is no hour',
      sql: insert('usage_event_marks', { bucket_hour: `'2026-01-01T00:30:00Z'`, shard: '1' }),
      sqlState: checkViolation,
      constraint: 'usage_event_marks_bucket_hour_aligned_check',
    },
    {
      title: 'a shard that does not exist',
      sql: insert('usage_event_marks', { bucket_hour: `'2026-01-01T00:00:00Z'`, shard: '64' }),
      sqlState: checkViolation,
      constraint: 'usage_event_marks_shard_range_check',
    },
  ],
  usage_event_seals: [
    {
      title: 'a time that is no day',
      sql: insert('usage_event_seals', { consumer: `'a'`, sealed_before: `'2026-01-01T01:00:00Z'` }),
      sqlState: checkViolation,
      constraint: 'usage_event_seals_sealed_before_day_check',
    },
  ],
  usage_event_retirements: [
    {
      title: 'bounds that hold nothing',
      sql: insert('usage_event_retirements', {
        lower_bound: `'2026-01-02'`,
        upper_bound: `'2026-01-02'`,
        partition_name: `'p'`,
        retired_rows: '0',
      }),
      sqlState: checkViolation,
      constraint: 'usage_event_retirements_bounds_check',
    },
    {
      title: 'fewer rows than none',
      sql: insert('usage_event_retirements', {
        lower_bound: `'2026-01-02'`,
        upper_bound: `'2026-01-03'`,
        partition_name: `'p'`,
        retired_rows: '-1',
      }),
      sqlState: checkViolation,
      constraint: 'usage_event_retirements_retired_rows_not_negative_check',
    },
  ],
  partition_settings: [
    {
      title: 'a width that is not known',
      sql: `update platform.partition_settings set width = 'fortnight'`,
      sqlState: checkViolation,
      constraint: 'partition_settings_width_check',
    },
    {
      title: 'no partition ahead',
      sql: `update platform.partition_settings set partitions_ahead = 0`,
      sqlState: checkViolation,
      constraint: 'partition_settings_partitions_ahead_range_check',
    },
  ],
}

describe.each(Object.keys(cases))('platform.%s refuses', table => {
  test('each invalid value and relation, by name', async () => {
    const { url } = await platformDatabase()
    await withClient(url, async client => {
      await addTwoTenants(client)
      for (const { title, sql, sqlState, constraint, message } of cases[table]!) {
        await client.query('begin')
        const { error } = await attempt(client, sql)
        await client.query('rollback')
        expect(error, title).not.toBeNull()
        expect({ title, sqlState: error?.code, constraint: error?.constraint }).toEqual({
          title,
          sqlState,
          constraint: typeof constraint === 'string' ? constraint : expect.stringMatching(constraint),
        })
        expect(error?.schema, title).toBe('platform')
        if (message) expect(error?.message, title).toMatch(message)
      }
    })
  })
})

test('what a trigger refuses comes with a reason and a next step, and without a value of the row', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await addTwoTenants(client)
    for (const sql of [
      `update platform.organizations set slug = 'renamed' where slug = 'acme'`,
      `update platform.users set organization_id = '${beta.organizationId}' where id = '${acme.userId}'`,
      `delete from platform.model_registry_entries`,
      `delete from platform.audit_log_entries`,
      insertEvents(acme, [{ modelId: beta.modelId }]),
    ]) {
      await client.query('begin')
      const { error } = await attempt(client, sql)
      await client.query('rollback')
      expect(error?.detail, sql).toMatch(/\.$/)
      expect(error?.hint, sql).toMatch(/\.$/)
      expect(error?.table, sql).toMatch(/^[a-z_]+$/)
      expect(JSON.stringify([error?.message, error?.detail, error?.hint])).not.toMatch(/acme|renamed|[0-9a-f]{8}-/)
    }
  })
})

test('a column without a default wants a value', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    for (const table of [
      'organizations',
      'users',
      'api_keys',
      'model_registry_entries',
      'usage_events',
      'audit_log_entries',
    ]) {
      const error = await client
        .query(`insert into platform.${table} default values`)
        .catch((refusal: unknown) => refusal)
      expect(error).toMatchObject({ code: notNullViolation, table: expect.stringMatching(new RegExp(`^${table}`)) })
    }
  })
})

describe('soft delete', () => {
  test('frees an e-mail and a key’s name for a living successor, and only once', async () => {
    const { url } = await platformDatabase()
    await withClient(url, async client => {
      await addTwoTenants(client)
      await client.query(`update platform.users set deleted_at = now() where id = '${acme.userId}'`)
      await client.query(user({ email_hash: `sha256('acme')` }))
      await expect(client.query(user({ email_hash: `sha256('acme')` }))).rejects.toMatchObject({
        constraint: 'users_email_hash_key',
      })
      await client.query(`update platform.api_keys set deleted_at = now() where id = '${acme.apiKeyId}'`)
      await client.query(apiKey({ name: `'main'` }))
      await expect(client.query(apiKey({ name: `'main'`, secret_hash: `sha256('third')` }))).rejects.toMatchObject({
        constraint: 'api_keys_name_key',
      })
    })
  })

  test('lets erasure empty the e-mail of a deleted user', async () => {
    const { url } = await platformDatabase()
    await withClient(url, async client => {
      await addTwoTenants(client)
      const erase = `update platform.users set email_ciphertext = null, email_hash = null where id = '${acme.userId}'`
      await expect(client.query(erase)).rejects.toMatchObject({ constraint: 'users_email_present_check' })
      await client.query(`update platform.users set deleted_at = now() where id = '${acme.userId}'`)
      expect((await client.query(erase)).rowCount).toBe(1)
    })
  })
})

test('updated_at tells of the last change, and only of changes', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await addTwoTenants(client)
    for (const [table, change] of [
      ['organizations', `display_name = 'Renamed'`],
      ['users', `status = 'disabled'`],
      ['api_keys', `status = 'revoked'`],
    ] as const) {
      const updatedAt = async () =>
        (
          await client.query<{ at: string }>(
            `select updated_at::text as at from platform.${table} order by 1 desc limit 1`,
          )
        ).rows[0]!.at
      const before = await updatedAt()
      await client.query(`update platform.${table} set created_at = created_at`)
      expect(await updatedAt(), `${table}, nothing changed`).toBe(before)
      await client.query(`update platform.${table} set ${change}, updated_at = '2001-01-01'`)
      const { rows } = await client.query<{ later: boolean }>(
        `select bool_and(updated_at > $1::timestamptz) as later from platform.${table}`,
        [before],
      )
      expect(rows[0]?.later, table).toBe(true)
    }
  })
})
