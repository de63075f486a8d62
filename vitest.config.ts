import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** `npm test` runs what needs Node alone; `npm run test:peers` what needs another tool, such as an emulator, and takes longer. */
const ofPeers = process.env['PLINTH_SUITE'] === 'peers'

/** Files that take longest, in a clone that has not measured them yet: whatever begins last keeps one processor busy while the other rests. */
const longest = ['lint/rules', 'lint/corpus', 'faults/faults', 'analytics/exactness', 'analytics/seal', 'scenarios/']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex(name => moduleId.includes(`/tests/${name}`))
      return at < 0 ? longest.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    include: ofPeers ? ['tests/**/*.peer.test.ts'] : ['tests/**/*.test.ts'],
    exclude: ofPeers ? [] : ['tests/**/*.peer.test.ts'],
    globalSetup: ['tests/support/setup.ts'],
    // A process that stays would outlive the tests, so only its own stories have one.
    env: { PLINTH_RESIDENT: 'off' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    reporters: process.env['CI']
      ? ['default', ['json', { outputFile: `.plinth/test-report${ofPeers ? '-peers' : ''}.json` }]]
      : ['default'],
  },
})
