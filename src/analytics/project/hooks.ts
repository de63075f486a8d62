/** Statements of a project that run before and after something: hooks of a transform, and those around a run. */
import type { Place } from '../../errors.ts'
import { PlinthError } from '../../errors.ts'
import { parseTemplate } from '../../sql/template.ts'
import type { Settings } from './configs.ts'
import type { Hook, Hooks } from './project.ts'
import { isYes, mappingOf, textOf } from './shapes.ts'

export const noHooks: Hooks = { before: [], after: [] }

/** Hooks of a transform, a seed or a snapshot. Throws TRANSFORM_INVALID. */
export function hooksOf({ values, place }: Settings, owner?: string): Hooks {
  return {
    before: statementsOf(values['pre_hook'], place('pre_hook'), owner),
    after: statementsOf(values['post_hook'], place('post_hook'), owner),
  }
}

/** One statement or a list of them, as texts or as `{sql, transaction}`. */
export function statementsOf(given: unknown, at: Place, owner?: string): Hook[] {
  const all = given === undefined || given === null ? [] : Array.isArray(given) ? (given as unknown[]) : [given]
  return all.flatMap((one): Hook[] => {
    const parsed = typeof one === 'string' && /^\s*\{\s*"/.test(one) ? parsedOf(one) : one
    const sql = textOf(parsed) ?? textOf(mappingOf(parsed)['sql'])
    if (sql === undefined) {
      throw new PlinthError('TRANSFORM_INVALID', 'A hook is no statement.', {
        at,
        hint: 'Write SQL as a text, or {sql: …, transaction: false} for one outside of the transaction.',
      })
    }
    if (sql.trim() === '') return []
    const isOutside = mappingOf(parsed)['transaction'] !== undefined && !isYes(mappingOf(parsed)['transaction'])
    return [{ template: templateAt(sql, at, owner), transaction: isOutside ? 'outside' : 'inside' }]
  })
}

/** dbt's `before_begin(…)` and `after_commit(…)` answer a mapping as JSON. */
function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

/** A template that stands on a line of another file. */
export function templateAt(source: string, { file = '', line = 1 }: Place, owner?: string) {
  return parseTemplate({ file, source: '\n'.repeat(Math.max(0, line - 1)) + source, owner })
}
