/** How much a migration can lose: the worse of its two directions, from its statements before it runs and from what was seen afterwards. */
import type { Script } from '../../sql/parse.ts'
import { fieldsOf, openNode, quotedRelation } from '../../sql/tree.ts'
import { type Effect, effectOf } from './effects.ts'

/**
 * `lossless`: both directions bring everything back. `lossless-with-policy`: everything, except that rows written in between follow a policy.
 * `unproven`: something cannot be seen or told apart. `irreversible`: something is gone for good.
 */
export type LossClass = 'lossless' | 'lossless-with-policy' | 'unproven' | 'irreversible'

export interface Judgement {
  readonly lossClass: LossClass
  /** Why it is not lossless, one sentence each; holds names only. */
  readonly reasons: readonly string[]
}

export const lossless: Judgement = { lossClass: 'lossless', reasons: [] }

/** False for a text that has no word of anything that can lose, so that it need not be parsed. */
export function mayLose(text: string): boolean {
  return /\b(truncate|delete|update|merge|alter|type|domain|extension|cascade|owned|database|lo_unlink|lo_put|lowrite)\b/i.test(
    text,
  )
}

/** Pure. Of one direction. */
export function judgeScript({ statements }: Pick<Script, 'statements'>): Judgement {
  const made = new Set<string>()
  let result: Judgement = lossless
  for (const statement of statements) {
    const [kind, fields] = openNode(statement.tree)
    if (kind === 'CreateStmt') made.add(quotedRelation(fieldsOf(fields, 'relation')))
    const found = judgeEffect(effectOf(statement), made, statement.line)
    if (found) result = worse(result, found)
  }
  return result
}

/** Pure. The class of the worse one, with the reasons of both. */
export function worse(left: Judgement, right: Judgement): Judgement {
  const lossClass = order.indexOf(left.lossClass) >= order.indexOf(right.lossClass) ? left.lossClass : right.lossClass
  return { lossClass, reasons: [...new Set([...left.reasons, ...right.reasons])] }
}

export function needsAcceptance({ lossClass }: Judgement): boolean {
  return lossClass === 'unproven' || lossClass === 'irreversible'
}

const order: readonly LossClass[] = ['lossless', 'lossless-with-policy', 'unproven', 'irreversible']

/** What the script made itself holds nothing of anybody's yet. */
function judgeEffect(effect: Effect, made: ReadonlySet<string>, line: number): Judgement | null {
  if (effect.kind === 'beyond') return { lossClass: effect.loss, reasons: [`Line ${line}: ${effect.why}.`] }
  if (effect.kind === 'write') {
    const tables = effect.tables.filter(table => !made.has(table))
    return tables.length === 0 ? null : policy(`rows of ${bare(tables)} are changed`, line)
  }
  if (effect.kind === 'alter' && !made.has(effect.table)) {
    const { dropped, retyped } = effect.changes
    if (dropped.length > 0) return policy(`columns of ${bare([effect.table])} are dropped`, line)
    if (retyped.length > 0) return policy(`columns of ${bare([effect.table])} get another type`, line)
  }
  if (effect.kind === 'drop' && effect.what === 'other') return policy('columns of a dropped type may go with it', line)
  return null
}

function policy(what: string, line: number): Judgement {
  return {
    lossClass: 'lossless-with-policy',
    reasons: [`Line ${line}: ${what}, and rows written before the way back follow the policy.`],
  }
}

function bare(names: readonly string[]): string {
  return names.map(name => name.replaceAll('"', '')).join(', ')
}
