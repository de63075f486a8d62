/** A hook that is a module: its default export is called with the fact, and says no by throwing or by answering false. */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { PlinthError } from '../../errors.ts'
import type { Call } from './fact.ts'

/** Throws HOOK_INVALID when there is no such file, when it cannot be loaded, or when it exports no function. */
export async function loadModule(file: string, place: string): Promise<Call> {
  const hook = await importHook(file, place)
  return async (fact, signal) => {
    // Its own copy, so that what it does to it is not told to others.
    const answer: unknown = await hook(structuredClone(fact), { signal })
    if (answer === false) throw new Error('it answered false')
  }
}

type HookFunction = (...args: readonly unknown[]) => unknown

async function importHook(file: string, place: string): Promise<HookFunction> {
  const invalid = (message: string, hint: string, cause?: unknown) =>
    new PlinthError('HOOK_INVALID', `${place}: ${message}`, { at: { file }, hint, cause })
  if (!existsSync(file)) throw invalid('the module is not there.', 'Correct its path, which starts from the project.')
  const module = await importModule(file).catch((error: unknown) => {
    throw invalid(
      `the module cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
      'Run it with `node` to see where, or with `npx jiti` when it is TypeScript.',
      error,
    )
  })
  const hook = module.default ?? module.hook
  if (typeof hook === 'function') return hook as HookFunction
  throw invalid('the module exports no function.', 'Write `export default async function (fact) { … }`.')
}

interface HookModule {
  readonly default?: unknown
  readonly hook?: unknown
}

/** Node itself first: it needs no loader for JavaScript, and from 22.18 on for most of TypeScript. */
async function importModule(file: string): Promise<HookModule> {
  try {
    return (await import(pathToFileURL(file).href)) as HookModule
  } catch (error) {
    if (!isForLoader(error)) throw error
    const { createJiti } = await import('jiti')
    // Its cache on the disk would outlive the run.
    return createJiti(pathToFileURL(file).href, { fsCache: false }).import<HookModule>(file)
  }
}

/**
 * What Node says before it runs any line of a module that a loader of TypeScript understands: a file of types, syntax that is more than types,
 * or a neighbour that is imported as TypeScript allows, without its ending or by that of its output.
 */
function isForLoader(error: unknown): boolean {
  return error instanceof Error && 'code' in error && forLoader.has(String(error.code))
}

const forLoader: ReadonlySet<string> = new Set([
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_MODULE_NOT_FOUND',
])
