import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { renderContract } from '../../src/contract/render.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { classOfColumns, loadClassification } from '../../src/governance/classification.ts'
import { qualified } from '../../src/schema/model.ts'
import { platformDatabase, withClient } from '../support/database.ts'
import { parseXml, walk } from './xml.ts'

async function contractOf(url: string) {
  const schema = await withSession(postgres, url, {}, session => session.introspect())
  const classOf = classOfColumns(
    await loadClassification(fileURLToPath(new URL('../../configs/data-classification.yml', import.meta.url))),
  )
  const files = await renderContract({
    project: { name: 'plinth' },
    tracks: [{ name: 'operational', schema, classOf }],
  })
  return { schema, classOf, files }
}

test('the migrated platform: every table and column is described and drawn with its class; nothing changes with time', async () => {
  const database = await platformDatabase()
  const before = await contractOf(database.url)
  const dictionary = before.files.get('dictionary.md') ?? ''
  const drawn = new Set(
    walk(parseXml(before.files.get('erd.svg') ?? '')).flatMap(({ element }) =>
      element.name === 'text' ? [element.text] : [],
    ),
  )

  const tables = before.schema.tables.filter(table => table.partitionOf === null)
  expect(tables.length).toBeGreaterThan(7)
  expect(before.schema.tables.length).toBeGreaterThan(tables.length)
  for (const table of tables) {
    const section = dictionary.split(`### \`${qualified(table)}\`\n`)[1]?.split('\n### ')[0] ?? ''
    expect(section, `${qualified(table)} has no section`).not.toBe('')
    expect(table.comment, `${qualified(table)} has no comment`).not.toBeNull()
    expect(drawn).toContain(table.name)
    for (const column of table.columns) {
      const declared = before.classOf(qualified(table), column.name)
      const row = section.split('\n').find(line => line.startsWith(`| \`${column.name}\` |`))
      expect(row, `${qualified(table)}.${column.name} has no row`).toBeDefined()
      expect(row).toContain(` ${declared?.class} |`)
      expect(drawn).toContain(column.name)
    }
  }
  expect(dictionary).not.toContain('not classified')
  expect(dictionary).not.toContain('No description yet')

  await withClient(database.url, client =>
    client.query(`select platform.ensure_usage_event_partitions('2027-06-01', '2027-07-01')`),
  )
  const after = await contractOf(database.url)
  expect(after.schema.tables.length).toBeGreaterThan(before.schema.tables.length)
  expect([...after.files]).toEqual([...before.files])
})
