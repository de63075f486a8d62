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
  let module: { readonly default?: unknown; readonly hook?: unknown }
  try {
    module = (await import(pathToFileURL(file).href)) as typeof module
  } catch (error) {
    if (isUnknownEnding(error)) {
      throw invalid(
        `Node.js ${process.versions.node} cannot load TypeScript.`,
        'Use Node.js 22.18 or newer, compile it to JavaScript, or make it a command that your own loader runs.',
        error,
      )
    }
    throw invalid(
      `the module cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
      'Run it with `node` to see where.',
      error,
    )
  }
  const hook = module.default ?? module.hook
  if (typeof hook === 'function') return hook as HookFunction
  throw invalid('the module exports no function.', 'Write `export default async function (fact) { … }`.')
}

function isUnknownEnding(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION'
}
