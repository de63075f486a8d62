// The least that a linter with PostgreSQL's own parser can take: reads the files of a folder, parses each, and ends.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModule, parseSync } from 'libpg-query'

const [folder] = process.argv.slice(2)
await loadModule()
for (const file of readdirSync(folder)) parseSync(readFileSync(join(folder, file), 'utf8'))
