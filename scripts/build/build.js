// Compiles src/ to dist/ with the TypeScript compiler, removes what a renamed or deleted source left behind, and bundles the command line.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { bundle } from './bundle.js'

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })

for (const entry of readdirSync('dist', { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name)
  const source = file.replace(/^dist/, 'src').replace(/(\.d)?\.(ts|js)$/, '.ts')
  if (entry.isFile() && !existsSync(source) && !file.startsWith(join('dist', 'bundle', sep))) rmSync(file)
}
await bundle()
process.exitCode = status ?? 1
