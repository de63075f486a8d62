/**
 * Hooks: what the configuration wants called around a run and its steps. One before a run or step may refuse it; one after cannot undo what
 * is done, so that its failure is told and changes nothing.
 */
import { basename } from 'node:path'
import type { HookSetting, Moment } from '../../config/hooks.ts'
import { asPlinthError, PlinthError } from '../../errors.ts'
import type { Emit } from '../../telemetry/event.ts'
import { findProgram, runCommand } from './command.ts'
import type { Call, HookFact } from './fact.ts'
import { loadModule } from './module.ts'

export interface Hooks {
  /** Those of a moment before something, in order. Throws HOOK_REFUSED at the first that says no, and HOOK_INVALID. */
  before(fact: HookFact, signal: AbortSignal | undefined): Promise<void>
  /** Those of a moment after something, in order. Never throws; answers a sentence for each that failed. */
  after(fact: HookFact): Promise<string[]>
}

export interface HookWorld {
  readonly settings: readonly HookSetting[]
  /** Where commands run. */
  readonly folder: string
  /** Variables for commands, without secrets; `withheld` are given to those that ask by name. */
  readonly variables: Readonly<Record<string, string>>
  readonly withheld: Readonly<Record<string, string>>
  readonly emit: Emit
}

/** Nothing is loaded before the first call, and then all of them are, so that a missing one stops the run at its beginning. */
export function createHooks(world: HookWorld): Hooks {
  let loaded: Promise<readonly Hook[]> | undefined
  const hooksOf = async (moment: Moment): Promise<Hook[]> => {
    loaded ??= Promise.all(world.settings.map(setting => loadHook(world, setting)))
    return (await loaded).filter(hook => hook.setting.moment === moment)
  }
  return {
    async before(fact, signal) {
      for (const hook of await hooksOf(fact.hook)) {
        const failure = await call(world, hook, fact, signal)
        if (failure) throw refusal(hook.setting, fact, failure, signal)
      }
    },
    async after(fact) {
      const failures: string[] = []
      // A hook that could not be loaded was told of before the run began.
      for (const hook of await hooksOf(fact.hook).catch(() => [])) {
        const failure = await call(world, hook, fact, undefined)
        if (!failure) continue
        const message = `${sentence(hook.setting, failure)} What was done stays done.`
        failures.push(message)
        world.emit({ type: 'warning', message, hint: null })
      }
      return failures
    },
  }
}

interface Hook {
  readonly setting: HookSetting
  readonly call: Call
}

async function loadHook(world: HookWorld, setting: HookSetting): Promise<Hook> {
  const { action, environment, place } = setting
  if (action.kind === 'module') return { setting, call: await loadModule(action.file, place) }
  findProgram(action.command, { folder: world.folder, path: world.variables['PATH'], place })
  const asked = Object.entries(world.withheld).filter(([name]) => environment.includes(name))
  const variables = { ...world.variables, ...Object.fromEntries(asked) }
  return {
    setting,
    call: (fact, signal) => runCommand(action.command, { folder: world.folder, variables, fact, signal }),
  }
}

/** The failure, or null when it went well. Gives up after the hook's own time. */
async function call(
  { emit }: HookWorld,
  { setting, call }: Hook,
  fact: HookFact,
  signal: AbortSignal | undefined,
): Promise<PlinthError | null> {
  const started = performance.now()
  const limit = AbortSignal.timeout(setting.timeoutMs)
  const failure = await raced(call(fact, signal ? AbortSignal.any([signal, limit]) : limit), limit, signal).then(
    () => null,
    (thrown: unknown) =>
      limit.aborted
        ? new PlinthError('HOOK_REFUSED', `it did not end within ${setting.timeoutMs / 1000} s`)
        : asPlinthError(thrown),
  )
  const { moment, place } = setting
  emit({
    type: 'hook.finished',
    moment,
    hook: place,
    track: fact.track,
    version: fact.step?.version ?? null,
    status: failure === null ? 'passed' : moment.startsWith('before') ? 'refused' : 'failed',
    durationMs: performance.now() - started,
  })
  return failure
}

/** A module cannot be stopped from outside, so nobody waits for it when its time is over. */
async function raced(work: Promise<void>, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  const listening = new AbortController()
  const over = new Promise<never>((_, reject) => {
    for (const signal of signals) {
      const stop = () => reject(new Error('it was stopped'))
      if (signal?.aborted) stop()
      signal?.addEventListener('abort', stop, { once: true, signal: listening.signal })
    }
  })
  work.catch(() => undefined)
  await Promise.race([work, over]).finally(() => listening.abort())
}

function refusal(
  setting: HookSetting,
  fact: HookFact,
  failure: PlinthError,
  signal: AbortSignal | undefined,
): PlinthError {
  if (signal?.aborted) {
    return new PlinthError('INTERRUPTED', `The run was interrupted while ${setting.place} worked.`, {
      hint: 'Run the command again to go on.',
      cause: failure,
    })
  }
  const { version, slug } = fact.step ?? {}
  const what = version === undefined ? 'The run was not begun' : `${version}_${slug} was not begun`
  return new PlinthError('HOOK_REFUSED', `${what}: ${sentence(setting, failure)}`, {
    at: { object: setting.place },
    hint: 'Nothing of it was changed. Do what the hook asks for, then run the command again.',
    details: { hook: setting.place, moment: setting.moment, version: version ?? null },
    cause: failure,
  })
}

function sentence({ place, action }: HookSetting, failure: PlinthError): string {
  const name =
    action.kind === 'module'
      ? basename(action.file)
      : typeof action.command === 'string'
        ? 'its command'
        : basename(action.command[0] ?? '')
  return `${place} (${name}) failed: ${failure.message.replace(/\.?$/, '.')}`
}
