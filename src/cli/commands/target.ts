/** Options that say how far: the same words for plan, apply and rollback. */
import type { Target } from '../../migrations/select.ts'
import { type Context, text, wholeNumber } from '../command.ts'

export function targetUp(context: Context): Target | undefined {
  const version = text(context, 'to')
  return version === undefined || version === 'latest' ? undefined : { kind: 'version', version }
}

/** Throws USAGE when more than one is given. */
export function targetDown(context: Context): Target | undefined {
  const version = text(context, 'to')
  const count = wholeNumber(context, 'steps')
  const runId = text(context, 'run')
  const name = text(context, 'repeatable')
  const given: Target[] = [
    ...(version === undefined ? [] : [{ kind: 'version', version } as const]),
    ...(count === undefined ? [] : [{ kind: 'steps', count } as const]),
    ...(runId === undefined ? [] : [{ kind: 'run', runId } as const]),
    ...(name === undefined ? [] : [{ kind: 'repeatable', name } as const]),
  ]
  if (given.length > 1) throw new RangeError('--to, --steps, --run and --repeatable exclude each other')
  return given[0]
}
