import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkContract, staleContract, writeContract } from '../../src/contract/files.ts'
import { renderContract } from '../../src/contract/render.ts'
import { unifiedDiff } from '../../src/contract/text-diff.ts'
import type { Schema } from '../../src/schema/model.ts'
import { expectGolden } from '../support/golden.ts'
import { columnOf, schemaOf, shop, shopClassOf, table } from './fixtures.ts'

const project = { name: 'corner shop' }
const operational = { name: 'operational', schema: shop, classOf: shopClassOf }
const warehouse = {
  name: 'analytics',
  schema: schemaOf({ engine: 'duckdb', tables: [table('raw.orders', ['shop_id UUID', 'id BIGINT'])] }),
  classOf: () => undefined,
}

describe('rendering', () => {
  test('one track has plain names, several carry the name of the track', async () => {
    expect([...(await renderContract({ project, tracks: [operational] })).keys()]).toEqual([
      'README.md',
      'dictionary.md',
      'erd.mmd',
      'erd.puml',
      'erd.svg',
    ])
    const files = await renderContract({ project, tracks: [operational, warehouse] })
    expect([...files.keys()]).toEqual([
      'README.md',
      'dictionary.md',
      'erd.analytics.mmd',
      'erd.analytics.puml',
      'erd.analytics.svg',
      'erd.operational.mmd',
      'erd.operational.puml',
      'erd.operational.svg',
    ])
    expectGolden('contract/README.md', files.get('README.md') ?? '')
  })

  test('every file that the index and the dictionary name exists', async () => {
    const files = await renderContract({ project, tracks: [operational, warehouse] })
    const named = [
      ...(files.get('README.md') ?? '').concat(files.get('dictionary.md') ?? '').matchAll(/\]\(([^)#]+)\)/g),
    ].map(([, file]) => file ?? '')
    expect(named.length).toBeGreaterThan(8)
    expect(named.filter(file => !files.has(file))).toEqual([])
  })

  test('two runs, and the same schema in another order, give the same bytes', async () => {
    const once = await renderContract({ project, tracks: [operational] })
    expect([...(await renderContract({ project, tracks: [operational] }))]).toEqual([...once])
    expect([...(await renderContract({ project, tracks: [{ ...operational, schema: shuffled(shop) }] }))]).toEqual([
      ...once,
    ])
    for (const content of once.values()) expect(content).toMatch(/^[^\r]*\n$/)
  })

  test('partitions made since do not change a byte', async () => {
    const before = await renderContract({ project, tracks: [operational] })
    const later = {
      ...shop,
      tables: [
        ...shop.tables,
        table('shop.orders_2026w03', ['shop_id uuid'], {
          partitionOf: { parent: 'shop.orders', bounds: 'FOR VALUES …' },
        }),
      ],
    }
    expect([...(await renderContract({ project, tracks: [{ ...operational, schema: later }] }))]).toEqual([...before])
  })

  test('the tenant key that policies tell on one track is found on the other', async () => {
    const files = await renderContract({ project, tracks: [operational, warehouse] })
    expect(files.get('dictionary.md')).toMatch(/\[`raw.orders`\].*\| `shop_id` \|/)
  })
})

describe('files', () => {
  test('written once, then unchanged; a change of the schema makes exactly its documents stale', async () => {
    const folder = scratch()
    const files = await renderContract({ project, tracks: [operational] })
    expect((await checkContract(folder, files)).map(report => report.state)).toEqual(Array.from(files, () => 'missing'))
    expect((await writeContract(folder, files)).every(document => document.change === 'written')).toBe(true)
    expect((await writeContract(folder, files)).every(document => document.change === 'unchanged')).toBe(true)
    expect(staleContract(folder, await checkContract(folder, files))).toBeNull()

    const wider = {
      ...shop,
      tables: shop.tables.map(one =>
        one.name === 'shops' ? { ...one, columns: [...one.columns, columnOf('motto text?')] } : one,
      ),
    }
    const reports = await checkContract(
      folder,
      await renderContract({ project, tracks: [{ ...operational, schema: wider }] }),
    )
    expect(reports.filter(report => report.state === 'stale').map(report => report.file)).toEqual([
      'dictionary.md',
      'erd.mmd',
      'erd.puml',
      'erd.svg',
    ])
    expect(reports.find(report => report.file === 'erd.mmd')?.diff).toContain('+    text motto "may be null"')
    const error = staleContract(folder, reports)
    expect(error).toMatchObject({
      code: 'DOCS_STALE',
      exitStatus: 3,
      details: { files: expect.arrayContaining([{ file: 'erd.svg', state: 'stale' }]) },
    })
  })

  test('a generated file that is not made any more is extra and removed; what a person wrote stays', async () => {
    const folder = scratch()
    await writeContract(folder, await renderContract({ project, tracks: [operational, warehouse] }))
    writeFileSync(join(folder, 'notes.md'), '# Ours\n')
    const fewer = await renderContract({ project, tracks: [operational] })
    const states = new Map((await checkContract(folder, fewer)).map(report => [report.file, report.state]))
    expect(states.get('erd.analytics.svg')).toBe('extra')
    expect(states.get('erd.svg')).toBe('missing')
    expect(states.has('notes.md')).toBe(false)
    const written = await writeContract(folder, fewer)
    expect(written.find(document => document.file === 'erd.analytics.svg')?.change).toBe('removed')
    expect(readdirSync(folder).sort()).toEqual([...fewer.keys(), 'notes.md'].sort())
  })

  test('line ends of a checkout on Windows are no difference', async () => {
    const folder = scratch()
    const files = await renderContract({ project, tracks: [operational] })
    await writeContract(folder, files)
    for (const file of files.keys())
      writeFileSync(join(folder, file), readFileSync(join(folder, file), 'utf8').replaceAll('\n', '\r\n'))
    expect(staleContract(folder, await checkContract(folder, files))).toBeNull()
  })

  test('a folder that cannot be made is a failure with its place', async () => {
    const folder = scratch()
    writeFileSync(join(folder, 'file'), '')
    await expect(writeContract(join(folder, 'file', 'docs'), new Map([['a.md', 'a\n']]))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      at: { file: join(folder, 'file', 'docs') },
    })
  })
})

describe('the difference', () => {
  const numbers = Array.from({ length: 30 }, (_, number) => `line ${number}`)

  test('shows three lines around each change, in hunks', () => {
    const after = numbers.map(line => (line === 'line 5' ? 'new 5' : line)).filter(line => line !== 'line 20')
    expect(unifiedDiff(numbers.join('\n'), after.join('\n'), 'a.md')).toBe(
      [
        '--- a.md',
        '+++ a.md (generated)',
        '@@ -3,7 +3,7 @@',
        ' line 2',
        ' line 3',
        ' line 4',
        '-line 5',
        '+new 5',
        ' line 6',
        ' line 7',
        ' line 8',
        '@@ -18,7 +18,6 @@',
        ' line 17',
        ' line 18',
        ' line 19',
        '-line 20',
        ' line 21',
        ' line 22',
        ' line 23',
      ].join('\n'),
    )
    expect(unifiedDiff('a', 'a', 'a.md')).toBe('')
  })

  test('is cut when it gets long', () => {
    const lines = unifiedDiff(numbers.join('\n'), '', 'a.md', { linesMax: 10 }).split('\n')
    expect(lines).toHaveLength(11)
    expect(lines.at(-1)).toBe('… 24 more lines')
  })
})

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-contract-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The same database, read in another order wherever order carries no meaning. */
function shuffled(schema: Schema): Schema {
  const turned = <T>(list: readonly T[]): readonly T[] => list.toReversed()
  return {
    ...schema,
    tables: turned(schema.tables).map(one => ({
      ...one,
      foreignKeys: turned(one.foreignKeys),
      checks: turned(one.checks),
      indexes: turned(one.indexes),
      grants: turned(one.grants),
      uniqueKeys: turned(one.uniqueKeys),
      rowSecurity: { ...one.rowSecurity, policies: turned(one.rowSecurity.policies) },
    })),
    views: turned(schema.views),
    enums: turned(schema.enums),
    domains: turned(schema.domains),
    routines: turned(schema.routines),
    schemas: turned(schema.schemas),
  }
}
