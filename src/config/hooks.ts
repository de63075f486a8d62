/** Hooks of the configuration: what is called at which moment, in the order in which it was written. */
import { isAbsolute, join } from 'node:path'
import type { HookEntry, HooksFile } from './schema.ts'

export const moments = ['before-run', 'after-run', 'before-step', 'after-step', 'on-failure'] as const

export type Moment = (typeof moments)[number]

export interface HookSetting {
  readonly moment: Moment
  /** Where it is written, such as `hooks.before-step[1]`. */
  readonly place: string
  readonly action: HookAction
  readonly timeoutMs: number
  /** Variables that a command is given although they may hold a secret. */
  readonly environment: readonly string[]
}

export type HookAction =
  /** Text goes to the shell; a list is a program with its arguments. */
  | { readonly kind: 'command'; readonly command: string | readonly string[] }
  /** Absolute path of a module. */
  | { readonly kind: 'module'; readonly file: string }

/** An environment's hooks of a moment stand in for those of the file. */
export function readHooks(root: string, file: HooksFile | undefined, overlay: HooksFile | undefined): HookSetting[] {
  return moments.flatMap(moment => {
    const written = overlay?.[moment] ?? file?.[moment]
    if (written === undefined) return []
    if (!isList(written)) return [settingOf(root, moment, `hooks.${moment}`, written)]
    return written.map((one, at) => settingOf(root, moment, `hooks.${moment}[${at}]`, one))
  })
}

type Written = NonNullable<HooksFile[Moment]>

function isList(written: Written): written is HookEntry[] {
  return Array.isArray(written) && typeof written[0] === 'object'
}

function settingOf(root: string, moment: Moment, place: string, written: Exclude<Written, HookEntry[]>): HookSetting {
  const one: HookEntry =
    typeof written === 'string' && isModule(written)
      ? { module: written }
      : typeof written === 'string' || Array.isArray(written)
        ? { command: written }
        : written
  const action: HookAction =
    one.module === undefined
      ? { kind: 'command', command: one.command ?? '' }
      : { kind: 'module', file: isAbsolute(one.module) ? one.module : join(root, one.module) }
  return {
    moment,
    place,
    action,
    timeoutMs: (one.timeoutSeconds ?? 60) * 1000,
    environment: one.environment ?? [],
  }
}

/** A path to a file of JavaScript or TypeScript and nothing else; everything else is for the shell. */
function isModule(text: string): boolean {
  return /^(\.{0,2}\/)\S*\.(js|mjs|cjs|ts|mts)$/.test(text)
}
