/** How bad a failing check is. */
import { type Place, PlinthError } from '../errors.ts'
import type { Severity } from './project.ts'
import { textOf } from './shapes.ts'

/** `error` unless said otherwise. Throws TRANSFORM_INVALID. */
export function severityOf(given: unknown, at: Place): Severity {
  const severity = (given === undefined || given === null ? 'error' : (textOf(given) ?? '')).toLowerCase()
  if (severity === 'error' || severity === 'warn') return severity
  throw new PlinthError('TRANSFORM_INVALID', `"${severity}" is not a severity.`, { at, hint: 'Write error or warn.' })
}
