/** Gives values to names. */
import type { Scope } from './evaluate.ts'
import type { Target } from './syntax.ts'
import { itemsOf, kindOf, type Namespace, type Value, wrong } from './values.ts'

export function assign(target: Target, value: Value, scope: Scope): void {
  if (target.type === 'name') scope.names.set(target.name, value)
  else if (target.type === 'member') {
    const owner = find(target.owner, scope)
    if (owner === undefined || kindOf(owner) !== 'namespace')
      throw wrong(
        `"${target.owner}.${target.name}" cannot be set, since "${target.owner}" is no namespace.`,
        `Write {% set ${target.owner} = namespace() %} before.`,
      )
    ;(owner as Namespace).members.set(target.name, value)
  } else {
    const items = itemsOf(value)
    if (items.length !== target.targets.length)
      throw wrong(`${target.targets.length} names cannot take ${items.length} values.`)
    for (const [index, one] of target.targets.entries()) assign(one, items[index] ?? null, scope)
  }
}

function find(name: string, scope: Scope): Value | undefined {
  for (let at: Scope | null = scope; at; at = at.parent) if (at.names.has(name)) return at.names.get(name)
  return undefined
}
