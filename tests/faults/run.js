// `npm run test:faults -- --count 1000 [--seed S] [--kind kill,cut] [--where 'backfill, rollback'] [--only N] [--verbose]`: the suite of faults at any size.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    count: { type: 'string' },
    seed: { type: 'string' },
    kind: { type: 'string' },
    where: { type: 'string' },
    only: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})
const known = ['kill', 'cut', 'terminate', 'cancel', 'interrupt', 'disk']
const strange = (values.kind?.split(',') ?? []).filter(kind => !known.includes(kind))
for (const name of ['count', 'seed', 'only'])
  if (values[name] !== undefined && !/^\d{1,9}$/.test(values[name])) strange.push(`--${name} ${values[name]}`)
if (strange.length > 0) {
  process.stderr.write(
    `Not understood: ${strange.join(', ')}. Kinds are ${known.join(', ')}; the others are numbers.\n`,
  )
  process.exit(2)
}
const env = {
  ...process.env,
  FAULTS: values.count ?? values.only ?? '300',
  ...(values.seed === undefined ? {} : { FAULTS_SEED: values.seed }),
  ...(values.kind === undefined ? {} : { FAULTS_KIND: values.kind }),
  ...(values.where === undefined ? {} : { FAULTS_WHERE: values.where }),
  ...(values.only === undefined ? {} : { FAULTS_ONLY: values.only }),
  ...(values.verbose ? { FAULTS_VERBOSE: '1' } : {}),
}
const { status } = spawnSync('npx', ['vitest', 'run', 'tests/faults'], { env, stdio: 'inherit' })
process.exitCode = status ?? 1
