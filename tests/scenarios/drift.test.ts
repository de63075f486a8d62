/** A database that somebody changed by hand, on the command line. */
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

test('drift prints a script that takes it back, with status 3; afterwards there is none', async () => {
  const cwd = temporaryFolder({
    'm/1_shop.up.sql':
      "create table customers (id int primary key, name text not null default 'x');\ncreate view names as select name from customers;\ncreate index customers_name on customers (name);\n",
    'm/1_shop.down.sql': 'drop view names;\ndrop table customers;\n',
  })
  const { url } = await emptyDatabase()
  const run = (...args: string[]) => plinth([...args, '--dir', 'm', '--database', url], { cwd })
  const execute = (sql: string) => withClient(url, client => client.query(sql))

  expect(await run('drift', '--json')).toMatchObject({ status: 2, json: { error: { code: 'HISTORY_UNKNOWN' } } })
  await run('apply')
  const none = await run('drift')
  expect(none.status).toBe(0)
  expect(none.stdout).toMatch(/^-- operational on .*: what the migrations up to 1 make, and nothing else\.$/m)

  await execute(
    "drop index customers_name; drop view names; alter table customers alter column name type varchar(20); create view names as select name, 'secret' as password from customers;",
  )
  const found = await run('drift')
  expect(found.status).toBe(3)
  expect(found.stdout).toContain('--   index public.customers_name is missing in the database')
  const asJson = await run('drift', '--json')
  expect(asJson.json.data.tracks[0].report).toMatchObject({ status: 'found', version: '1' })

  // The whole output is a script.
  await execute(found.stdout)
  expect((await run('drift')).status).toBe(0)
})
