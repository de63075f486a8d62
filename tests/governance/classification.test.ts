import { describe, expect, test } from 'vitest'
import { checkClassification } from '../../src/governance/check-classification.ts'
import {
  classOfColumns,
  loadClassification,
  loadClassificationIfAny,
  parseClassification,
} from '../../src/governance/classification.ts'
import { renderSuggestions, suggestClassification } from '../../src/governance/suggest-classification.ts'
import { schemaOf, table } from '../contract/fixtures.ts'
import { classificationFile, operationalSchema, warehouseSchema } from '../contract/platform.ts'
import { platformDatabase } from '../support/database.ts'

const file = 'configs/data-classification.yml'

async function failure(source: string) {
  return parseClassification(source, file).then(
    () => expect.unreachable('It was expected to fail, and did not.'),
    error => error,
  )
}

function declared(columns: string, head = ''): string {
  return `version: 1\ntables:\n  a.people:\n${head}    columns:\n${columns
    .trim()
    .split('\n')
    .map(line => `      ${line.trim()}\n`)
    .join('')}`
}

const people = schemaOf({
  tables: [table('a.people', ['id uuid', 'email_ciphertext bytea', 'email_hash bytea', 'name text'])],
})

async function findings(source: string, schema = people) {
  return checkClassification(await parseClassification(source, file), [schema])
}

const complete = `
  id: { class: internal, protection: none }
  email_ciphertext: { class: restricted, protection: encrypted }
  email_hash: { class: restricted, protection: hashed }
  name: { class: confidential, protection: none }`

describe('reading the file', () => {
  test('a column has what its table says where it says nothing itself', async () => {
    const source = declared(
      'id: { class: internal, retention_days: null, purge: null }\nname: { purge: anonymize }',
      '    class: confidential\n    protection: none\n    retention_days: 30\n    purge: delete\n',
    )
    const classification = await parseClassification(source, file)
    const classOf = classOfColumns(classification)
    expect(classOf('a.people', 'id')).toEqual({
      class: 'internal',
      protection: 'none',
      retentionDays: null,
      purge: null,
    })
    expect(classOf('a.people', 'name')).toEqual({
      class: 'confidential',
      protection: 'none',
      retentionDays: 30,
      purge: 'anonymize',
    })
    expect(classOf('a.people', 'other')).toBeUndefined()
    expect(classification.place('a.people', 'name')).toMatchObject({ file, line: 10 })
  })

  test('a partition has the classes of its root, through every level', async () => {
    const classification = await parseClassification(declared(complete), file)
    const parents: Record<string, string> = { 'a.people_2026_01': 'a.people_2026', 'a.people_2026': 'a.people' }
    const classOf = classOfColumns(classification, name => parents[name])
    expect(classOf('a.people_2026_01', 'name')?.class).toBe('confidential')
    expect(classOf('a.people_2026_01', 'none')).toBeUndefined()
  })

  test('a wrong word names file and line, and what was meant', async () => {
    expect(
      await failure(
        declared('id: { class: internal, protection: none }\nname: { class: confidental, protection: none }'),
      ),
    ).toMatchObject({
      code: 'CLASSIFICATION_INVALID',
      at: { file, line: 6 },
      hint: 'Did you mean "confidential"?',
      exitStatus: 2,
    })
  })

  test.each([
    ['an unknown key', declared('id: { class: internal, protection: none, retention: 3 }'), 5],
    ['no class', declared('id: { protection: none }'), 5],
    ['no protection', declared('id: { class: internal }'), 5],
    ['a table without its schema', 'version: 1\ntables:\n  people:\n    columns: {}', 3],
    ['days that are no days', declared('id: { class: internal, protection: none, retention_days: -1 }'), 5],
    ['another version', 'version: 2\ntables: {}', 1],
    ['no tables', 'version: 1\n', 1],
    ['broken YAML', 'version: 1\ntables: [', 2],
    [
      'one column twice',
      declared('id: { class: internal, protection: none }\nid: { class: public, protection: none }'),
      6,
    ],
  ])('%s is refused with its line', async (_, source, line) => {
    expect(await failure(source)).toMatchObject({ code: 'CLASSIFICATION_INVALID', at: { file, line } })
  })

  test('a file that is not there is told apart from one that is wrong', async () => {
    const missing = '/nowhere/data-classification.yml'
    await expect(loadClassification(missing)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    expect((await loadClassificationIfAny(missing)).tables.size).toBe(0)
  })
})

describe('holding it against the catalog', () => {
  test('everything classified, nothing contradicts: no finding', async () => {
    expect(await findings(declared(complete))).toEqual([])
  })

  test('a column, a table and a stored view that nobody classified are errors; partitions and plain views are not', async () => {
    const view = {
      schema: 'a',
      comment: null,
      columns: people.tables[0]?.columns.slice(0, 1) ?? [],
      definition: '',
      options: [],
      grants: [],
    }
    const schema = schemaOf({
      tables: [
        ...people.tables,
        table('a.people_2026', ['id uuid'], { partitionOf: { parent: 'a.people', bounds: 'DEFAULT' } }),
        table('a.new', ['id uuid']),
      ],
      views: [
        { ...view, name: 'live', materialized: false },
        { ...view, name: 'stored', materialized: true },
      ],
    })
    const found = await findings(declared(complete.replace(/\n {2}name.*/, '')), schema)
    expect(found.map(({ kind, severity, object }) => `${severity} ${kind} ${object}`)).toEqual([
      'error unclassified a.new.id',
      'error unclassified a.people.name',
      'error unclassified a.stored.id',
    ])
  })

  test('what does not exist is named with its line and the nearest name', async () => {
    const [column, missing] = await findings(declared(complete.replace('name:', 'nmae:')))
    expect(column).toMatchObject({ kind: 'unclassified', object: 'a.people.name' })
    expect(missing).toMatchObject({
      kind: 'unknown column',
      object: 'a.people.nmae',
      hint: 'Did you mean "name"?',
      at: { file, line: 8 },
    })
    const other = await findings(`${declared(complete)}  a.peple:\n    columns: {}\n`)
    expect(other).toMatchObject([
      { kind: 'unknown table', object: 'a.peple', hint: 'Did you mean "a.people"?', at: { line: 9 } },
    ])
  })

  test('a partition is not classified by itself', async () => {
    const schema = schemaOf({
      tables: [
        ...people.tables,
        table('a.people_2026', ['id uuid'], { partitionOf: { parent: 'a.people', bounds: 'DEFAULT' } }),
      ],
    })
    const found = await findings(`${declared(complete)}  a.people_2026:\n    columns: {}\n`, schema)
    expect(found).toMatchObject([
      { kind: 'contradiction', object: 'a.people_2026', hint: 'Remove it, and classify a.people.' },
    ])
  })

  test.each([
    [
      'restricted and stored as it is',
      'name: { class: restricted, protection: none }',
      'error',
      'is restricted but stored as it is',
    ],
    ['encrypted in a plain type', 'name: { class: restricted, protection: encrypted }', 'error', 'holds plain values'],
    [
      'hashed in a type that holds no hash',
      'id: { class: restricted, protection: hashed }',
      'error',
      'holds plain values',
    ],
    ['hashed as text', 'name: { class: restricted, protection: hashed }', 'warning', 'nothing keeps plain values out'],
    [
      'kept longer than its row',
      'name: { class: confidential, protection: none, retention_days: 40 }',
      'error',
      'is kept 40 days, but its rows only 30 days',
    ],
    [
      'kept without end in a row that goes',
      'name: { class: confidential, protection: none, retention_days: null }',
      'error',
      'is kept without end',
    ],
  ])('%s is a contradiction', async (_, line, severity, message) => {
    const name = line.split(':')[0] ?? ''
    const source = declared(
      `${complete.replace(new RegExp(`\\n  ${name}:.*`), '')}\n${line}`,
      '    retention_days: 30\n    purge: delete\n',
    )
    const found = await findings(source)
    expect(found).toMatchObject([{ kind: 'contradiction', severity, object: `a.people.${name}` }])
    expect(found[0]?.message).toContain(message)
  })

  test('days without a purge contradict each other', async () => {
    const found = await findings(declared(complete, '    retention_days: 30\n'))
    expect(found.map(one => one.kind)).toEqual(Array.from({ length: 4 }, () => 'contradiction'))
  })

  test('a harmless class on a name that sounds sensitive is a warning; counters and hashes are not', async () => {
    const schema = schemaOf({
      tables: [
        table('a.people', [
          'id uuid',
          'email text',
          'input_tokens integer',
          'token_count text',
          'email_hash bytea',
          'refresh_token text',
        ]),
      ],
    })
    const source = declared(
      `id: {}\nemail: {}\ninput_tokens: {}\ntoken_count: {}\nemail_hash: {}\nrefresh_token: {}`,
      '    class: internal\n    protection: none\n',
    )
    expect(
      (await findings(source, schema)).map(({ kind, severity, object }) => `${severity} ${kind} ${object}`),
    ).toEqual(['warning suspicious a.people.email', 'warning suspicious a.people.refresh_token'])
  })
})

describe('suggesting', () => {
  const schema = schemaOf({
    tables: [
      table('a.people', [
        'id uuid',
        'email_ciphertext bytea',
        'email_hash bytea',
        'email text',
        'api_secret text',
        'note text',
        'size integer',
        'on boolean',
      ]),
    ],
  })

  test('only what is missing, on the strict side, as text that can be pasted', async () => {
    const classification = await parseClassification(declared('id: { class: internal, protection: none }'), file)
    const suggestions = suggestClassification(classification, [schema])
    expect(suggestions.map(({ column, class: name, protection }) => `${column} ${name} ${protection}`)).toEqual([
      'email_ciphertext restricted encrypted',
      'email_hash restricted hashed',
      'email confidential none',
      'api_secret restricted none',
      'note confidential none',
      'size internal none',
      'on internal none',
    ])
    const pasted = `version: 1\ntables:\n${renderSuggestions(suggestClassification(null, [schema]))}`
    const read = await parseClassification(pasted, file)
    expect(checkClassification(read, [schema]).filter(finding => finding.kind !== 'contradiction')).toEqual([])
  })
})

describe('the platform', () => {
  test('every column of both migrated tracks is classified, and nothing contradicts the catalogs', async () => {
    const database = await platformDatabase()
    const schemas = [await operationalSchema(database.url), await warehouseSchema()]
    expect(schemas.map(schema => schema.tables.length > 3)).toEqual([true, true])
    expect(checkClassification(await loadClassification(classificationFile), schemas)).toEqual([])
  })
})
