/** What can be asked by `is`. */
import { compared, type Comparison, isEqual, numberOf } from './operators.ts'
import { kindOf, printed, type Value } from './values.ts'

type Test = (value: Value, args: readonly Value[]) => boolean

const compares =
  (operator: Comparison): Test =>
  (value, [other = null]) =>
    compared(operator, value, other)
const isKind =
  (...kinds: ReturnType<typeof kindOf>[]): Test =>
  value =>
    kinds.includes(kindOf(value))
const remainder = (value: Value, by: Value | undefined) =>
  Number(numberOf(value) ?? Number.NaN) % Number(numberOf(by ?? null) ?? Number.NaN)

export const tests: Readonly<Record<string, Test>> = {
  defined: value => kindOf(value) !== 'undefined',
  undefined: isKind('undefined'),
  none: isKind('none'),
  boolean: isKind('boolean'),
  true: value => value === true,
  false: value => value === false,
  integer: isKind('whole'),
  float: isKind('float'),
  number: isKind('whole', 'float', 'boolean'),
  string: isKind('text'),
  // A relation is one to dbt, whose packages tell it by that.
  mapping: isKind('mapping', 'relation'),
  sequence: isKind('list', 'tuple', 'text', 'mapping', 'undefined'),
  iterable: isKind('list', 'tuple', 'text', 'mapping', 'undefined'),
  callable: isKind('function', 'undefined'),
  sameas: (value, [other = null]) =>
    value === other || (kindOf(value) !== 'list' && kindOf(value) === kindOf(other) && isEqual(value, other)),
  lower: value => printed(value) === printed(value).toLowerCase() && /\p{L}/u.test(printed(value)),
  upper: value => printed(value) === printed(value).toUpperCase() && /\p{L}/u.test(printed(value)),
  even: value => remainder(value, 2) === 0,
  odd: value => Math.abs(remainder(value, 2)) === 1,
  divisibleby: (value, [by]) => remainder(value, by) === 0,
  escaped: () => false,
  in: compares('in'),
  eq: compares('=='),
  equalto: compares('=='),
  '==': compares('=='),
  ne: compares('!='),
  '!=': compares('!='),
  lt: compares('<'),
  lessthan: compares('<'),
  '<': compares('<'),
  le: compares('<='),
  '<=': compares('<='),
  gt: compares('>'),
  greaterthan: compares('>'),
  '>': compares('>'),
  ge: compares('>='),
  '>=': compares('>='),
}
