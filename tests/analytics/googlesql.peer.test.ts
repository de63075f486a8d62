import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile, namesOf } from '../../src/analytics/project/compile.ts'
import { loadProject } from '../../src/analytics/project/load.ts'
import { bigquery } from '../../src/engines/bigquery/index.ts'
import { analyst, withoutZetaSql } from '../support/zetasql.ts'
import { root } from './support/world.ts'

const google = analyst()
const migrations = join(root, 'db/migrations/analytics/bigquery')
const files = (ending: string) =>
  readdirSync(migrations)
    .filter(file => file.endsWith(ending))
    .sort()

describe.skipIf(withoutZetaSql)("what is written for BigQuery, by Google's own analyzer", () => {
  test('it tells right from wrong', async () => {
    google.forget()
    expect(await google.checkScript('create table a.t (x timestamp not null, y numeric(35, 6))')).toEqual([])
    expect(
      await google.check("select timestamp_trunc(x, hour, 'UTC') as h, sum(y) as s from a.t group by h"),
    ).toBeNull()
    for (const wrong of [
      'select z from a.t',
      'select count(*) filter (where y > 0) from a.t',
      'select y + x from a.t',
      "select date_trunc('hour', x) from a.t",
      'insert into a.t (x) values (1) on conflict do nothing',
    ])
      expect(await google.check(wrong), wrong).not.toBeNull()
  })

  test('migrations, in both directions', async () => {
    await learnMigrations()
    for (const file of files('.down.sql').toReversed())
      expect(await google.checkScript(readFileSync(join(migrations, file), 'utf8')), file).toEqual([])
  })

  test('transforms, whole and by cells, checks and analyses', async () => {
    await learnMigrations()
    const project = await loadProject(join(root, 'analytics'), { root })
    const names = namesOf(project)
    const quote = bigquery.warehouse?.name
    const within = (from: string, until: string) => ({ relation: 'plinth.cells', from, until })
    const moment = "timestamp '2026-03-01T00:00:00Z'"
    const changedCells = { hour: within(moment, moment), day: within(moment, moment) }
    const checked: string[] = []
    const expectTyped = async (name: string, sql: string) => {
      expect(await google.check(sql), `${name}: ${sql}`).toBeNull()
      checked.push(name)
    }
    for (const transform of project.transforms) {
      const self = { schema: transform.schema, name: transform.name }
      google.learn('plinth', 'cells', [
        { name: 'bucket', type: transform.cell?.grain === 'day' ? 'DATE' : 'TIMESTAMP' },
        { name: 'shard', type: 'INT64' },
      ])
      const whole = await compile(transform.template, names, { engine: 'bigquery', quote, mode: 'whole', self })
      await expectTyped(transform.name, whole.sql)
      const cells = await compile(transform.template, names, {
        engine: 'bigquery',
        quote,
        mode: 'cells',
        changedCells,
        self,
      })
      await expectTyped(`${transform.name} by cells`, cells.sql)
      // A view is a table to what refers to it.
      if (transform.materialized === 'view')
        expect(await google.checkScript(`create view ${transform.schema}.${transform.name} as ${whole.sql}`)).toEqual(
          [],
        )
    }
    for (const { name, template } of [...project.checks, ...project.analyses]) {
      const { sql } = await compile(template, names, { engine: 'bigquery', quote, mode: 'whole', self: null })
      await expectTyped(name, sql)
    }
    expect(checked.length).toBe(2 * project.transforms.length + project.checks.length + project.analyses.length)
  })
})

async function learnMigrations(): Promise<void> {
  google.forget()
  for (const file of files('.up.sql'))
    expect(await google.checkScript(readFileSync(join(migrations, file), 'utf8')), file).toEqual([])
}
