/** How bad a failing check is, and how many failures it takes. */
import { type Place, PlinthError } from '../../errors.ts'
import type { Severity } from './project.ts'
import { textOf } from './shapes.ts'

/** `error` unless said otherwise. Throws TRANSFORM_INVALID. */
export function severityOf(given: unknown, at: Place): Severity {
  const severity = (given === undefined || given === null ? 'error' : (textOf(given) ?? '')).toLowerCase()
  if (severity === 'error' || severity === 'warn') return severity
  throw new PlinthError('TRANSFORM_INVALID', `"${severity}" is not a severity.`, { at, hint: 'Write error or warn.' })
}

/** A condition on the number of failures, such as `> 10` or `between 5 and 9`. Throws TRANSFORM_INVALID. */
export function conditionOf(given: unknown, setting: string, at: Place): string {
  const condition = given === undefined || given === null ? '!= 0' : (textOf(given) ?? '').trim()
  const number = String.raw`-?\d+(\.\d+)?`
  const comparison = new RegExp(`^((=|==|!=|<>|<|<=|>|>=)\\s*${number}|between\\s+${number}\\s+and\\s+${number})$`, 'i')
  if (comparison.test(condition)) return condition.replace(/^==/, '=')
  throw new PlinthError(
    'TRANSFORM_INVALID',
    `${setting}: "${condition}" is not a condition on the number of failures.`,
    {
      at,
      hint: 'Write a comparison with a number, such as "> 10".',
    },
  )
}
