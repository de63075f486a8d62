// Runs a rollup in a process of its own and stops at a stage, to be killed there.
import { join } from 'node:path'
import { createServer } from 'vite'

const [, , root, sourceUrl, warehouseUrl, stage] = process.argv
// Node alone cannot read TypeScript; the compiler of the test runner can.
const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
})
const load = path => server.ssrLoadModule(join(root, path))
const { loadProject } = await load('src/analytics/project/load.ts')
const { runRollup } = await load('src/analytics/run/run.ts')
const { postgres } = await load('src/engines/postgres/index.ts')
const { duckdb } = await load('src/engines/duckdb/index.ts')
await runRollup(await loadProject(join(root, 'analytics'), { root }), {
  source: { engine: postgres, url: sourceUrl },
  warehouse: { engine: duckdb, url: warehouseUrl },
  emit: () => undefined,
  runId: 'doomed',
  owner: 'a process that will be killed',
  onStage: async reached => {
    if (reached !== stage) return
    process.stdout.write('here\n')
    await new Promise(resolve => setTimeout(resolve, 60_000))
  },
})
