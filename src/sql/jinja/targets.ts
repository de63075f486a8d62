/** What a value is given to. */
import { expected, isAt, peek, type Reader, takes } from './reader.ts'
import type { Target } from './syntax.ts'

/** One name, or several that take a sequence apart. */
export function parseTarget(reader: Reader): Target {
  const at = peek(reader)?.at ?? 0
  const first = parseOneTarget(reader)
  if (!isAt(reader, 'operator', ',')) return first
  const targets = [first]
  while (takes(reader, 'operator', ',') && (isAt(reader, 'name') || isAt(reader, 'operator', '(')))
    targets.push(parseOneTarget(reader))
  return { type: 'tuple', at, targets }
}

function parseOneTarget(reader: Reader): Target {
  const at = peek(reader)?.at ?? 0
  if (takes(reader, 'operator', '(')) {
    const inner = parseTarget(reader)
    expected(reader, 'operator', ')')
    return inner
  }
  const { value: name } = expected(reader, 'name')
  if (!takes(reader, 'operator', '.')) return { type: 'name', at, name }
  return { type: 'member', at, owner: name, name: expected(reader, 'name').value }
}
