// npm run test:exactness -- [--rounds 20] [--writers 32] [--seed 7]
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    writers: { type: 'string', default: '32' },
    seed: { type: 'string' },
  },
})
const root = join(import.meta.dirname, '../../..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const { status } = spawnSync(process.execPath, [vitest, 'run', 'tests/analytics/exactness'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    PLINTH_EXACTNESS_ROUNDS: values.rounds,
    PLINTH_EXACTNESS_WRITERS: values.writers,
    ...(values.seed === undefined ? {} : { PLINTH_EXACTNESS_SEED: values.seed }),
  },
})
process.exit(status ?? 1)
