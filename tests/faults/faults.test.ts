/**
 * A run that is disturbed at any moment is mended by the next one. `npm test` injects a few faults, `npm run test:faults` as many as asked for;
 * the seed that is printed with a fault injects it again.
 */
import { expect, inject, test } from 'vitest'
import { ensureBuilt } from '../migrations/child.ts'
import { disturb, summarize } from './campaign.ts'
import { describeFault, type Kind, kinds } from './fault.ts'

const count = Number(process.env['FAULTS'] ?? 40)
const seed = Number(process.env['FAULTS_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const only = process.env['FAULTS_ONLY']
const wanted = (process.env['FAULTS_KIND'] ?? kinds.join()).split(',') as Kind[]
const isVerbose = process.env['FAULTS_VERBOSE'] === '1'

test(
  `${count} faults leave no trace`,
  async () => {
    ensureBuilt()
    const campaign = await disturb({
      serverUrl: inject('serverUrl'),
      seed,
      count,
      kinds: wanted,
      where: process.env['FAULTS_WHERE'] ?? '',
      lanes: 3,
      only: only === undefined ? null : Number(only),
      onTold({ fault, injected, disturbed, traces }) {
        if (!isVerbose && traces.length === 0) return
        const what = traces.length > 0 ? 'left a trace' : `${injected} injected, ${disturbed} disturbed`
        process.stderr.write(`${describeFault(fault)} · ${what}\n`)
      },
    })
    process.stderr.write(`\n${summarize(campaign, seed)}\n`)
    expect(campaign.traces).toEqual([])
    const total = Object.values(campaign.injected).reduce((sum, number) => sum + number, 0)
    if (only === undefined) expect(total).toBeGreaterThan(count / 2)
  },
  120_000 + count * 5000,
)
