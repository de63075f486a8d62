import { expect, test } from 'vitest'
import { play } from './story.ts'
import { told } from './tally.ts'

/** `npm run test:exactness -- --rounds 50 --writers 32 --seed 7` sets these. */
const size = {
  seed: Number(process.env['PLINTH_EXACTNESS_SEED'] ?? 1 + (Date.now() % 1_000_000)),
  rounds: Number(process.env['PLINTH_EXACTNESS_ROUNDS'] ?? 1),
  writers: Number(process.env['PLINTH_EXACTNESS_WRITERS'] ?? 32),
  holdMs: 400,
}

/** What must have happened, or the story would prove nothing of it. */
const essential = [
  'commits',
  'rollbacks',
  'prepared transactions',
  'savepoints',
  'transactions, repeatable read',
  'transactions, serializable',
  'events inserted',
  'events copied',
  'events corrected',
  'events deleted',
  'events moved across hours',
  'events moved across days',
  'events moved across organizations',
  'events changed through a partition',
  'events on days when clocks change',
  'events of the future',
  'duplicates ignored',
  'duplicates refused',
  'partitions dropped',
  'partitions truncated',
  'two runners at once',
  'runners that lost their lease and changed nothing',
  'crashes at "leased"',
  'crashes at "captured"',
  'crashes at "claimed"',
  'crashes at "loaded"',
  'crashes at "replaced"',
  'crashes at "proved"',
  'crashes at "committed"',
  'crashes at "acknowledged"',
  'changes that had a run of their own',
  'marks that waited for the slower warehouse',
  'comparisons',
]

test(`writers and runners at once, seed ${size.seed}: after every run the warehouse is what the source was at its snapshot`, {
  timeout: 120_000 + size.rounds * 120_000,
}, async () => {
  const tally = await play(size)
  // So that a reader sees what was tried, and can try the same again.
  process.stdout.write(
    `\nexactness: seed ${size.seed}, ${size.rounds} rounds, ${size.writers} writers\n${told(tally)}\n`,
  )
  expect(essential.filter(what => !tally.get(what))).toEqual([])
})
