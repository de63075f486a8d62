/** A thread of lint: parses its texts, tells what they do to those behind them, hears what was before, and answers what is wrong. */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { examine } from '../lint/examine.ts'
import { rules } from '../lint/rules/index.ts'
import type { ExaminedApart } from '../lint/run.ts'
import { readSources } from '../lint/source.ts'
import { type Fact, factsOf } from '../lint/text-facts.ts'
import { classesIn } from './lint-classes.ts'
import type { ApartTask } from './lint-apart.ts'
import { openReader } from './lint-read.ts'

const { sources, classification, ...task } = workerData as ApartTask
if (parentPort) void work(parentPort)

async function work(port: NonNullable<typeof parentPort>): Promise<void> {
  const read = readSources(sources, await openReader())
  const told = once(port, 'message') as Promise<[readonly Fact[]]>
  port.postMessage(read.flatMap(({ source, script }) => (source.direction === 'up' && script ? factsOf(script) : [])))
  const [earlier] = await told
  const classOf = await classesIn(classification)
  const { found, files } = examine(read, { ...task, classOf, rules, rehearsal: null, earlier })
  const ups = files.some(file => file.source.direction === 'up') ? 'some' : 'none'
  port.postMessage({ found, ups } satisfies ExaminedApart)
}
