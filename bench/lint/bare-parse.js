// The least that a linter with PostgreSQL's own parser can take: reads the files of a folder, parses each, and ends. `bare-parse.js <folder> [threads]`.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { loadModule, parseSync } from 'libpg-query'

const [folder, threads = '1'] = isMainThread ? process.argv.slice(2) : workerData
const count = Number(threads)
const own = isMainThread ? 0 : workerData[2]
const workers = isMainThread ? count - 1 : 0
const startWorker = (_, at) => new Worker(new URL(import.meta.url), { workerData: [folder, threads, at + 1] })
Array.from({ length: workers }, startWorker)
await loadModule()
for (const [at, file] of readdirSync(folder).entries())
  if (at % count === own) parseSync(readFileSync(join(folder, file), 'utf8'))
