/** The moments of a run, and what the hooks of each are told. */
import type { Moment } from '../../config/hooks.ts'
import { asPlinthError, type PlinthError } from '../../errors.ts'
import type { RunOrigin } from '../history.ts'
import type { Plan, Step } from '../plan.ts'
import type { HookFact, HookResult } from './fact.ts'
import type { Hooks } from './hooks.ts'

export interface RunHooks {
  /** Throws HOOK_REFUSED and HOOK_INVALID, after the hooks of failure were told. */
  beforeRun(): Promise<void>
  beforeStep(step: Step): Promise<void>
  afterStep(step: Step, result: HookResult): Promise<void>
  /** After all, with how it ended. `step` is the one that failed. */
  afterRun(end: {
    readonly result: HookResult
    readonly error: PlinthError | null
    readonly step: Step | null
  }): Promise<void>
  /** One sentence for each hook that failed after something. */
  readonly failures: readonly string[]
}

export interface RunOfHooks {
  readonly plan: Plan
  readonly origin: RunOrigin
  readonly command: string
  /** Name of the environment, when there is one. */
  readonly environment: string | null
  readonly address: string
  readonly signal: AbortSignal | undefined
}

export function hooksOfRun(hooks: Hooks | undefined, run: RunOfHooks): RunHooks {
  const failures: string[] = []
  const after = async (fact: HookFact) => void failures.push(...((await hooks?.after(fact)) ?? []))
  return {
    failures,
    async beforeRun() {
      try {
        await hooks?.before(factOf(run, 'before-run', {}), run.signal)
      } catch (thrown) {
        await after(factOf(run, 'on-failure', { error: asPlinthError(thrown) }))
        throw thrown
      }
    },
    async beforeStep(step) {
      await hooks?.before(factOf(run, 'before-step', { step }), run.signal)
    },
    async afterStep(step, result) {
      await after(factOf(run, 'after-step', { step, result }))
    },
    async afterRun({ result, error, step }) {
      await after(
        error
          ? factOf(run, 'on-failure', { result, error, ...(step ? { step } : {}) })
          : factOf(run, 'after-run', { result }),
      )
    },
  }
}

interface About {
  readonly step?: Step
  readonly result?: HookResult
  readonly error?: PlinthError
}

function factOf({ plan, origin, command, environment, address }: RunOfHooks, hook: Moment, about: About): HookFact {
  const { step, result = null, error } = about
  return {
    schemaVersion: 1,
    hook,
    runId: origin.runId,
    command,
    environment,
    track: plan.track,
    database: address,
    actor: origin.actor,
    direction: plan.direction,
    from: plan.from,
    to: plan.to,
    steps: plan.steps.map(({ version, slug }) => ({ version, slug })),
    step: step
      ? {
          version: step.version,
          slug: step.slug,
          direction: step.direction,
          mode: step.mode,
          statements: step.statements.length,
          tables: step.tables,
        }
      : null,
    result,
    error: error
      ? {
          code: error.code,
          message: error.message,
          sqlState: error.sqlState ?? null,
          file: error.at?.file ?? null,
          line: error.at?.line ?? null,
        }
      : null,
  }
}
