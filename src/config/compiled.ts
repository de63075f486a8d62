/**
 * Keeps what V8 made of the bundled scripts between runs, since to compile them takes longer than to run a small command. One file a command holds
 * the functions that it called. It lies beside the bundle, so whoever can write there could write the program itself; where nobody may, every run compiles
 * (docs/adr/0005-bundle-the-command-line.md).
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import Module from 'node:module'
import { basename, dirname, join } from 'node:path'
import { Script } from 'node:vm'

/** Loads the scripts of the folder from what an earlier run of the same command kept; call the answer when the work is done, to keep what is new. */
export function useCompiled(bundle: string, command: string): () => void {
  const build = buildOf(bundle)
  if (build === null) return () => undefined
  const file = join(bundle, '..', 'compiled', `${command}-${process.version}-${process.arch}.bin`)
  const kept = readKept(file)
  const loaded = new Map<string, Script>()
  let news: 'some' | 'none' = 'none'
  extensions['.cjs'] = (module, path) => {
    if (dirname(path) !== bundle) return extensions['.js']?.(module, path)
    const source = readFileSync(path, 'utf8')
    const stamp = `${basename(path)} ${build}`
    const cachedData = kept.get(stamp)
    // What Node keeps of a script does not know how to import a module while it runs.
    if (!cachedData && /^[^*\n]*\bimport\(/m.test(source)) return extensions['.js']?.(module, path)
    const script = new Script(Module.wrap(source), { filename: path, ...(cachedData ? { cachedData } : {}) })
    if (!cachedData || script.cachedDataRejected) news = 'some'
    loaded.set(stamp, script)
    const run = script.runInThisContext() as (...scope: unknown[]) => void
    run.call(module.exports, module.exports, (id: string) => module.require(id) as unknown, module, path, bundle)
  }
  return () => {
    if (news === 'some') keep(file, loaded)
    news = 'none'
  }
}

const { _extensions: extensions } = Module as unknown as {
  readonly _extensions: Record<string, (module: NodeJS.Module, path: string) => void>
}

/**
 * The digest of all scripts, which the build writes beside them. V8 itself compares lengths alone, packages give their files one time, and to
 * digest the scripts here would take as long as it saves.
 */
function buildOf(bundle: string): string | null {
  try {
    return readFileSync(join(bundle, 'digest.txt'), 'utf8')
  } catch {
    return null
  }
}

/** A line that tells the parts and their lengths, then the parts. */
function readKept(file: string): ReadonlyMap<string, Buffer> {
  try {
    const bytes = readFileSync(file)
    let at = bytes.indexOf('\n') + 1
    const parts = JSON.parse(bytes.toString('utf8', 0, at)) as readonly (readonly [stamp: string, length: number])[]
    const length = parts.reduce((sum, [, part]) => sum + part, at)
    // V8 trusts what it is given, so a file that was cut off is passed over here.
    if (length !== bytes.length) return new Map()
    return new Map(parts.map(([stamp, part]) => [stamp, bytes.subarray(at, (at += part))]))
  } catch {
    return new Map()
  }
}

/** Whole or not at all. */
function keep(file: string, scripts: ReadonlyMap<string, Script>): void {
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    const parts = [...scripts].map(([stamp, script]) => [stamp, script.createCachedData()] as const)
    const head = `${JSON.stringify(parts.map(([stamp, { length }]) => [stamp, length]))}\n`
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(draft, Buffer.concat([Buffer.from(head), ...parts.map(([, data]) => data)]))
    renameSync(draft, file)
  } catch {
    rmSync(draft, { force: true })
  }
}
