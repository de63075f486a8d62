// Holds a DuckDB file open, as another program would.
import { DuckDBInstance } from '@duckdb/node-api'

const instance = await DuckDBInstance.create(process.argv[2])
const connection = await instance.connect()
await connection.run('select 1')
process.stdout.write('open\n')
setInterval(() => void connection.run('select 1'), 1000)
