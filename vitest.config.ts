import { defineConfig } from 'vitest/config'

/** `npm test` runs what needs Node alone; `npm run test:peers` what needs another tool, such as an emulator, and takes longer. */
const ofPeers = process.env['PLINTH_SUITE'] === 'peers'

export default defineConfig({
  test: {
    include: ofPeers ? ['tests/**/*.peer.test.ts'] : ['tests/**/*.test.ts'],
    exclude: ofPeers ? [] : ['tests/**/*.peer.test.ts'],
    globalSetup: ['tests/support/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 3,
    reporters: process.env['CI']
      ? ['default', ['json', { outputFile: `.plinth/test-report${ofPeers ? '-peers' : ''}.json` }]]
      : ['default'],
  },
})
