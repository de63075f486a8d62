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
  const size = modifiers.length > 0 && own[0] !== 'interval' ? `(${modifiers.join(',')})` : ''
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
