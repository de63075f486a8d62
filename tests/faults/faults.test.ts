/**
 * A run that is disturbed at any moment is mended by the next one. `npm test` injects a few faults, `npm run test:faults` as many as asked for;
 * the seed that is printed with a fault injects it again.
 */
import { expect, inject, test } from 'vitest'
import { ensureBuilt } from '../migrations/child.ts'
import { disturb, report, summarize } from './campaign.ts'
import { describeFault, type Kind, kinds } from './fault.ts'

const asked = process.env['FAULTS']
const count = Number(asked ?? 40)
// Everybody's tests inject the same faults; a campaign of its own injects new ones.
const seed = Number(process.env['FAULTS_SEED'] ?? (asked === undefined ? 1 : Math.floor(Math.random() * 1_000_000)))
const only = process.env['FAULTS_ONLY']
const wanted = (process.env['FAULTS_KIND'] ?? kinds.join()).split(',') as Kind[]
const isVerbose = process.env['FAULTS_VERBOSE'] === '1'

test(
  'a run that was disturbed is mended by the next one, and leaves no trace',
  async () => {
    ensureBuilt()
    const campaign = await disturb({
      serverUrl: inject('serverUrl'),
      seed,
      count,
      kinds: wanted,
      where: process.env['FAULTS_WHERE'] ?? '',
      lanes: 3,
      // Beside all other tests, a slow machine injects fewer.
      secondsMax: asked === undefined ? 60 : Infinity,
      only: only === undefined ? null : Number(only),
      onTold(told) {
        const { fault, injected, disturbed, traces } = told
        if (traces.length > 0) process.stderr.write(`${report(told)}\n`)
        else if (isVerbose)
          process.stderr.write(`${describeFault(fault)} · ${injected} injected, ${disturbed} disturbed\n`)
      },
    })
    process.stderr.write(`\n${summarize(campaign, seed)}\n`)
    expect(campaign.traces).toEqual([])
    if (only !== undefined) return
    const total = Object.values(campaign.injected).reduce((sum, number) => sum + number, 0)
    const skipped = [...campaign.skipped.values()].reduce((sum, number) => sum + number, 0)
    expect(total + skipped).toBeGreaterThan(asked === undefined ? 0 : count / 2)
    expect(campaign.disturbed).toBeGreaterThan(count > 20 && skipped === 0 ? 0 : -1)
  },
  120_000 + count * 5000,
)
