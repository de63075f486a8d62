// 32 clients that read and write single rows, three reads to one write. Each line of standard input names the phase that begins; at its end the
// times of every phase are printed. A statement counts in the phase in which it ended.
import { createInterface } from 'node:readline'
import { Client } from 'pg'
import { percentile, round } from '../../support/statistics.js'

const [url, rows] = process.argv.slice(2)
const clients = 32
const phases = new Map()
let phase = 'start'
let running = true
let failed = 0

createInterface({ input: process.stdin })
  .on('line', name => {
    phase = name
  })
  .on('close', () => {
    running = false
  })

await Promise.all(Array.from({ length: clients }, (_, number) => work(number)))
phases.delete('start')
const told = Object.fromEntries(
  [...phases].map(([name, { reads, writes }]) => [name, { reads: waits(reads), writes: waits(writes) }]),
)
console.log(JSON.stringify({ ...told, failed }))

async function work(number) {
  const client = new Client({ connectionString: url, application_name: 'bench load' })
  await client.connect()
  // oxlint-disable-next-line no-unmodified-loop-condition -- the end of standard input ends it
  for (let turn = number; running; turn++) {
    const id = 1 + Math.floor(Math.random() * Number(rows))
    const kind = turn % 4 === 0 ? 'writes' : 'reads'
    const started = performance.now()
    try {
      if (kind === 'reads') await client.query('select amount, created_at from facts where id = $1', [id])
      else await client.query('update facts set amount = amount + 0.01 where id = $1', [id])
    } catch {
      failed++
    }
    note(kind, performance.now() - started)
    // People and programs think between their requests; without that the machine would only measure its own processors.
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  await client.end()
}

function note(kind, ms) {
  const own = phases.get(phase) ?? { reads: [], writes: [] }
  phases.set(phase, own)
  own[kind].push(ms)
}

function waits(times) {
  if (times.length === 0) return { count: 0, p50Ms: 0, p99Ms: 0, mostMs: 0 }
  return {
    count: times.length,
    p50Ms: round(percentile(times, 0.5), 1),
    p99Ms: round(percentile(times, 0.99), 1),
    mostMs: round(
      times.reduce((most, time) => Math.max(most, time), 0),
      1,
    ),
  }
}
