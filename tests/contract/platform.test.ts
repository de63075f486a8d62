import { expect, test } from 'vitest'
import { renderContract } from '../../src/contract/render.ts'
import { classOfColumns, loadClassification } from '../../src/governance/classification.ts'
import { qualified, type Schema } from '../../src/schema/model.ts'
import { platformDatabase, withClient } from '../support/database.ts'
import { classificationFile, operationalSchema, warehouseSchema } from './platform.ts'
import { parseXml, walk } from './xml.ts'

test('the migrated platform: every table and column of both tracks is described and drawn with its class', async () => {
  const database = await platformDatabase()
  const operational = await operationalSchema(database.url)
  const analytics = await warehouseSchema()
  const { files, classOf } = await contractOf({ operational, analytics })
  const dictionary = files.get('dictionary.md') ?? ''
  for (const [track, schema] of Object.entries({ operational, analytics })) {
    const drawn = textsOf(files.get(`erd.${track}.svg`) ?? '')
    const tables = schema.tables.filter(table => table.partitionOf === null)
    expect(tables.length).toBeGreaterThan(3)
    for (const table of tables) {
      const section = dictionary.split(`### \`${qualified(table)}\`\n`)[1]?.split('\n### ')[0] ?? ''
      expect(section, `${qualified(table)} has no section`).not.toBe('')
      expect(drawn).toContain(table.name)
      for (const column of table.columns) {
        const row = section.split('\n').find(line => line.startsWith(`| \`${column.name}\` |`))
        expect(row, `${qualified(table)}.${column.name} has no row`).toBeDefined()
        expect(row).toContain(` ${classOf(qualified(table), column.name)?.class} |`)
        expect(drawn).toContain(column.name)
      }
    }
  }
  expect(dictionary).not.toContain('not classified')
  expect(dictionary).not.toContain('No description yet')
  expect(dictionary).toMatch(/\[`analytics.usage_hourly`\].*`organization_id` \|/)
})

test('partitions that were made since do not make the documents stale', async () => {
  const database = await platformDatabase()
  const before = await operationalSchema(database.url)
  await withClient(database.url, client =>
    client.query(`select platform.ensure_usage_event_partitions('2027-06-01', '2027-07-01')`),
  )
  const after = await operationalSchema(database.url)
  expect(after.tables.length).toBeGreaterThan(before.tables.length)
  expect([...(await contractOf({ operational: after })).files]).toEqual([
    ...(await contractOf({ operational: before })).files,
  ])
})

async function contractOf(schemas: Readonly<Record<string, Schema>>) {
  const classOf = classOfColumns(await loadClassification(classificationFile))
  const tracks = Object.entries(schemas).map(([name, schema]) => ({ name, schema, classOf }))
  return { classOf, files: await renderContract({ project: { name: 'plinth' }, tracks }) }
}

function textsOf(svg: string): ReadonlySet<string> {
  return new Set(walk(parseXml(svg)).flatMap(({ element }) => (element.name === 'text' ? [element.text] : [])))
}
