/** How a type is spelled in messages and comparisons: as the parser knows it, whatever words the author chose. */
import { type Fields, fieldsOf, listOf, openNode, textOf } from './tree.ts'

/** A `TypeName`, bare or in its node: `int4`, `varchar(10)`, `numeric(10,2)[]`, `platform.money`. Empty for anything else. */
export function typeText(node: unknown): string {
  const [kind, opened] = openNode(node)
  const fields = kind === 'TypeName' ? opened : ((node ?? {}) as Fields)
  const names = listOf(fields, 'names').map(name => textOf(openNode(name)[1], 'sval'))
  const own = names[0] === 'pg_catalog' ? names.slice(1) : names
  if (own.length === 0) return ''
  const modifiers = listOf(fields, 'typmods').map(modifierText)
  const size = own[0] === 'interval' ? intervalText(modifiers) : modifiers.length > 0 ? `(${modifiers.join(',')})` : ''
  const array = listOf(fields, 'arrayBounds')
    .map(() => '[]')
    .join('')
  return `${fields['setof'] === true ? 'setof ' : ''}${own.join('.')}${size}${array}`
}

/** Zero is left out by the parser. */
function modifierText(node: unknown): string {
  const [, constant] = openNode(node)
  const whole = fieldsOf(constant, 'ival')['ival']
  if (typeof whole === 'number') return String(whole)
  const text = textOf(fieldsOf(constant, 'sval'), 'sval')
  return text === '' ? '0' : text
}

/** What an interval keeps is a sum of bits, and its digits behind the second stand behind that. */
function intervalText([fields = '', digits]: readonly string[]): string {
  return `${keptFields[fields] ?? ''}${digits === undefined ? '' : `(${digits})`}`
}

/** By `INTERVAL_MASK` of PostgreSQL's `utils/timestamp.h`; every other sum keeps all. */
const keptFields: Readonly<Record<string, string>> = {
  4: ' year',
  2: ' month',
  8: ' day',
  1024: ' hour',
  2048: ' minute',
  4096: ' second',
  6: ' year to month',
  1032: ' day to hour',
  3080: ' day to minute',
  7176: ' day to second',
  3072: ' hour to minute',
  7168: ' hour to second',
  6144: ' minute to second',
}
