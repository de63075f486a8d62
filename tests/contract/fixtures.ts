/** Small builders of schemas as plain data, and the shop that the golden files show. */
import type { ClassOf, ColumnClass } from '../../src/schema/classification.ts'
import type { Column, ForeignKey, Index, Schema, Table } from '../../src/schema/model.ts'

export function schemaOf(parts: Partial<Schema>): Schema {
  return {
    engine: 'postgres',
    tables: [],
    views: [],
    enums: [],
    domains: [],
    routines: [],
    sequences: [],
    schemas: [],
    extensions: [],
    ...parts,
  }
}

/** `table('shop.orders', ['id uuid', 'note text?'], …)`: the first column is the primary key unless `primaryKey` says otherwise. */
export function table(id: string, columns: readonly (string | Column)[], parts: Partial<Table> = {}): Table {
  const [schema = '', name = ''] = id.split('.')
  const described = columns.map(column => (typeof column === 'string' ? columnOf(column) : column))
  return {
    schema,
    name,
    comment: null,
    columns: described,
    primaryKey: described[0] ? { name: `${name}_pkey`, columns: [described[0].name], qualifiers: '' } : null,
    uniqueKeys: [],
    foreignKeys: [],
    checks: [],
    exclusions: [],
    indexes: [],
    triggers: [],
    rowSecurity: { enabled: false, forced: false, policies: [] },
    partitioning: null,
    partitionOf: null,
    grants: [],
    options: [],
    ...parts,
  }
}

/** `name type`, with a question mark behind the type when it may be null. */
export function columnOf(text: string, parts: Partial<Column> = {}): Column {
  const [name = '', ...type] = text.split(' ')
  const spelled = type.join(' ')
  return {
    name,
    type: spelled.replace(/\?$/, ''),
    nullable: spelled.endsWith('?'),
    default: null,
    identity: null,
    generated: null,
    collation: null,
    comment: null,
    ...parts,
  }
}

/** `foreignKey('a, b', 'shop.other', 'x, y')` */
export function foreignKey(
  columns: string,
  references: string,
  referenced = 'id',
  parts: Partial<ForeignKey> = {},
): ForeignKey {
  const list = columns.split(', ')
  return {
    name: `${list.join('_')}_fkey`,
    columns: list,
    references,
    referencedColumns: referenced.split(', '),
    onDelete: 'no action',
    onUpdate: 'no action',
    validated: true,
    deferrable: false,
    ...parts,
  }
}

export function index(name: string, columns: string, parts: Partial<Index> = {}): Index {
  return {
    name,
    columns: columns.split(', '),
    definition: `CREATE INDEX ${name} ON t USING btree (${columns})`,
    unique: false,
    valid: true,
    predicate: null,
    constraint: false,
    ...parts,
  }
}

export function classOfRecord(record: Readonly<Record<string, string>>): ClassOf {
  return (tableName, column) => {
    const words = record[`${tableName}.${column}`]?.split(' ')
    if (!words) return undefined
    const [name = 'internal', protection = 'none', days, purge] = words
    return {
      class: name,
      protection,
      retentionDays: days === undefined ? null : Number(days),
      purge: purge ?? null,
    } as ColumnClass
  }
}

const isolation = {
  enabled: true,
  forced: true,
  policies: [
    {
      name: 'tenant_isolation',
      command: 'all',
      permissive: true,
      roles: ['shop_app'],
      using: '(shop_id = shop.current_shop_id())',
      withCheck: '(shop_id = shop.current_shop_id())',
    },
  ],
} as const

/** A shop: tenants, composite keys, a nullable and a one-to-one relation, a self reference, partitions, an enum, a view, odd names. */
export const shop: Schema = schemaOf({
  schemas: [{ name: 'shop', comment: 'What the shops sell.', grants: [{ role: 'shop_app', privileges: ['usage'] }] }],
  extensions: ['pgcrypto'],
  enums: [
    { schema: 'shop', name: 'order_status', comment: 'Where an order stands.', values: ['open', 'paid', 'sent'] },
  ],
  domains: [
    {
      schema: 'shop',
      name: 'money_amount',
      comment: null,
      type: 'numeric(12,2)',
      definition: 'CHECK ((VALUE >= (0)::numeric))',
    },
  ],
  tables: [
    table(
      'shop.shops',
      [
        columnOf('id uuid', { default: 'gen_random_uuid()', comment: 'Names the shop.' }),
        columnOf('slug text', { comment: 'In the address; a|b and `code` stay as they are.' }),
        'created_at timestamp with time zone',
      ],
      {
        comment: 'A shop, which is a tenant. Everything else belongs to one.',
        uniqueKeys: [{ name: 'shops_slug_key', columns: ['slug'], qualifiers: '' }],
        checks: [
          { name: 'shops_slug_check', definition: "CHECK ((slug ~ '^[a-z][a-z0-9-]{1,38}$'::text))", validated: true },
          { name: 'shops_old', definition: "CHECK ((created_at > '2020-01-01'::date))", validated: false },
        ],
        rowSecurity: {
          enabled: true,
          forced: false,
          policies: [
            {
              name: 'own',
              command: 'select',
              permissive: true,
              roles: ['shop_app'],
              using: '(id = shop.current_shop_id())',
              withCheck: null,
            },
          ],
        },
        grants: [
          { role: 'shop_app', privileges: ['select', 'update (slug)'] },
          { role: 'shop_reader', privileges: ['select'] },
        ],
      },
    ),
    table(
      'shop.customers',
      [
        'shop_id uuid',
        'id uuid',
        'email_ciphertext bytea',
        'email_hash bytea',
        'referred_by uuid?',
        'name character varying(80)?',
      ],
      {
        comment: 'Who buys.',
        primaryKey: { name: 'customers_pkey', columns: ['shop_id', 'id'], qualifiers: '' },
        foreignKeys: [
          foreignKey('shop_id', 'shop.shops', 'id', { onDelete: 'restrict' }),
          foreignKey('shop_id, referred_by', 'shop.customers', 'shop_id, id'),
        ],
        indexes: [
          index('customers_pkey', 'shop_id, id', { unique: true, constraint: true }),
          index('customers_email_key', 'shop_id, email_hash', {
            unique: true,
            predicate: '(name IS NOT NULL)',
            definition:
              'CREATE UNIQUE INDEX customers_email_key ON shop.customers USING btree (shop_id, email_hash) WHERE (name IS NOT NULL)',
          }),
        ],
        rowSecurity: isolation,
        grants: [{ role: 'shop_app', privileges: ['delete', 'insert', 'select', 'update'] }],
      },
    ),
    table('shop.addresses', ['shop_id uuid', 'customer_id uuid', 'lines text[]'], {
      comment: 'Where a customer lives.\nAt most one each.',
      primaryKey: { name: 'addresses_pkey', columns: ['shop_id', 'customer_id'], qualifiers: '' },
      foreignKeys: [foreignKey('shop_id, customer_id', 'shop.customers', 'shop_id, id', { onDelete: 'cascade' })],
      rowSecurity: isolation,
    }),
    table(
      'shop.orders',
      [
        'shop_id uuid',
        'id bigint',
        'customer_id uuid?',
        columnOf('status shop.order_status', { default: "'open'::shop.order_status" }),
        'total numeric(12,2)',
        'ordered_at timestamp with time zone',
      ],
      {
        comment: 'What a customer ordered.',
        primaryKey: { name: 'orders_pkey', columns: ['shop_id', 'id', 'ordered_at'], qualifiers: '' },
        foreignKeys: [
          foreignKey('shop_id', 'shop.shops'),
          foreignKey('shop_id, customer_id', 'shop.customers', 'shop_id, id', { onDelete: 'set null' }),
        ],
        checks: [
          {
            name: 'orders_status_check',
            definition: "CHECK ((status = ANY (ARRAY['open'::text, 'paid'::text, 'sent'::text])))",
            validated: true,
          },
          { name: 'orders_total_check', definition: 'CHECK ((total >= (0)::numeric))', validated: true },
        ],
        partitioning: { strategy: 'range', key: 'ordered_at' },
        indexes: [
          index('orders_customer_idx', 'shop_id, customer_id', {
            definition: 'CREATE INDEX orders_customer_idx ON ONLY shop.orders USING btree (shop_id, customer_id)',
          }),
        ],
        triggers: [
          {
            name: 'orders_touch',
            definition:
              'CREATE TRIGGER orders_touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch()',
            enabled: true,
          },
        ],
        rowSecurity: isolation,
      },
    ),
    ...['2026w01', '2026w02', 'default'].map(week =>
      table(
        `shop.orders_${week}`,
        [
          'shop_id uuid',
          'id bigint',
          'customer_id uuid?',
          'status shop.order_status',
          'total numeric(12,2)',
          'ordered_at timestamp with time zone',
        ],
        {
          partitionOf: { parent: 'shop.orders', bounds: 'DEFAULT' },
          foreignKeys: [foreignKey('shop_id', 'shop.shops')],
        },
      ),
    ),
    table('shop.Odd "names"', [
      columnOf('1st|column integer'),
      columnOf('a"b text?', { comment: 'Pipes | and <tags>,\nlines and *stars*.' }),
      columnOf('total integer?', { generated: '("1st|column" * 2)' }),
    ]),
  ],
  views: [
    {
      schema: 'shop',
      name: 'open_orders',
      materialized: false,
      comment: 'Orders that wait for money.',
      columns: [columnOf('shop_id uuid?'), columnOf('id bigint?')],
      definition: " SELECT shop_id,\n    id\n   FROM shop.orders\n  WHERE (status = 'open'::shop.order_status);",
      options: ['security_invoker=true'],
      grants: [{ role: 'shop_app', privileges: ['select'] }],
    },
  ],
  routines: [
    {
      schema: 'shop',
      name: 'current_shop_id',
      arguments: '',
      kind: 'function',
      comment: 'The shop that this session works for.',
      definition: '',
      securityDefiner: false,
      grants: [],
    },
    {
      schema: 'shop',
      name: 'touch',
      arguments: '',
      kind: 'function',
      comment: null,
      definition: '',
      securityDefiner: true,
      grants: [{ role: 'shop_app', privileges: ['execute'] }],
    },
  ],
})

export const shopClassOf: ClassOf = classOfRecord({
  'shop.shops.id': 'internal',
  'shop.shops.slug': 'public',
  'shop.shops.created_at': 'internal',
  'shop.customers.shop_id': 'internal',
  'shop.customers.id': 'internal',
  'shop.customers.email_ciphertext': 'restricted encrypted 365 anonymize',
  'shop.customers.email_hash': 'restricted hashed 365 anonymize',
  'shop.customers.name': 'confidential none 365 anonymize',
  'shop.customers.referred_by': 'internal',
  'shop.addresses.shop_id': 'internal',
  'shop.addresses.customer_id': 'internal',
  'shop.addresses.lines': 'confidential none 365 delete',
  'shop.orders.shop_id': 'internal none 730 archive',
  'shop.orders.id': 'internal none 730 archive',
  'shop.orders.customer_id': 'internal none 730 archive',
  'shop.orders.status': 'internal none 730 archive',
  'shop.orders.total': 'confidential none 730 archive',
  'shop.orders.ordered_at': 'internal none 730 archive',
})
