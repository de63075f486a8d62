/** A resident's process: loads what lint needs and stays. Its one argument is the state folder. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { useCompiled } from '../../config/compiled.ts'

void start()

async function start(): Promise<void> {
  const bundle = dirname(fileURLToPath(import.meta.url))
  const keep = useCompiled(bundle, 'resident')
  const { stay } = await import('./stay.ts')
  await stay({ state: process.argv[2] ?? '', bundle })
  keep()
}
