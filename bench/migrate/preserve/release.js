// A release that touches a large table, applied, taken back and applied again while 32 clients read and write it.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { round } from '../../support/statistics.js'
import { apply, makeFacts, rollback, writeFolder } from './stage.js'

const releases = {
  /** What a release that lets old code run does. */
  additive: [
    [
      '1_add_region',
      "alter table facts add column region text not null default 'eu';",
      'alter table facts drop column region;',
    ],
    [
      '2_index_amount',
      'create index concurrently facts_amount_idx on facts (amount);',
      'drop index concurrently facts_amount_idx;',
    ],
    [
      '3_check_amount',
      'alter table facts add constraint facts_amount_check check (amount >= 0) not valid;',
      'alter table facts drop constraint facts_amount_check;',
    ],
    ['4_validate_amount', 'alter table facts validate constraint facts_amount_check;', 'select 1;'],
  ],
  /** What keeps the most: a column of every row goes and comes back. */
  destructive: [['1_drop_note', 'alter table facts drop column note;', 'alter table facts add column note text;']],
}

export async function measureRelease(server, rows, { name, restMs }) {
  const url = await server.freshDatabase()
  await makeFacts(url, rows)
  const measured = await underLoad(url, writeFolder(server, `release-${name}`, releases[name]), rows, restMs)
  await server.dropDatabase(url)
  return { rows, clients: 32, targetWaitMs: 1000, ...measured }
}

async function underLoad(url, folder, rows, restMs) {
  const load = startLoad(url, rows)
  const times = {}
  const phase = async (name, work) => {
    load.mark(name)
    const started = performance.now()
    await work()
    times[name] = round(performance.now() - started, 0)
  }
  try {
    await phase('rest', () => sleep(restMs))
    await phase('apply', () => apply(url, folder))
    await phase('rollback', () => rollback(url, folder))
    await phase('again', () => apply(url, folder))
    const waits = await load.stop()
    return { times, totalMs: times.apply + times.rollback + times.again, waits }
  } catch (error) {
    await load.stop().catch(() => undefined)
    throw error
  }
}

/** A process of its own, so that neither side's work delays the other's clock. */
function startLoad(url, rows) {
  const program = fileURLToPath(new URL('load.js', import.meta.url))
  const child = spawn(process.execPath, [program, url, String(rows)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const answer = new Promise((resolve, reject) => {
    lines.once('line', line => resolve(JSON.parse(line)))
    child.once('close', status => reject(new Error(`The load ended with ${status}.`)))
  })
  answer.catch(() => undefined)
  return {
    mark: name => child.stdin.write(`${name}\n`),
    stop: async () => {
      child.stdin.end()
      return answer
    },
  }
}
