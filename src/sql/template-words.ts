/** Methods and filters that templates use and the engine lacks. */
import type { RuntimeClasses, RuntimeValue } from './template-model.ts'

type Method = (args: readonly RuntimeValue[]) => RuntimeValue
type Filter = (
  operand: RuntimeValue,
  args: readonly RuntimeValue[],
  runtime: RuntimeClasses,
) => RuntimeValue | undefined

/** The method of a list, mapping or text; undefined where there is none. */
export function memberOf(object: RuntimeValue, name: string, runtime: RuntimeClasses): Method | undefined {
  const none = runtime.plain(null)
  if (object.type === 'ArrayValue') {
    const items = object.value as RuntimeValue[]
    if (name === 'append') return args => (items.push(...args.slice(0, 1)), none)
    if (name === 'extend') return ([more]) => (items.push(...((more?.value ?? []) as RuntimeValue[])), none)
    if (name === 'insert') return ([at, item]) => (items.splice(Number(at?.value), 0, ...(item ? [item] : [])), none)
    if (name === 'index') return ([item]) => runtime.plain(items.findIndex(one => one.value === item?.value))
    if (name === 'pop') return ([at]) => items.splice(at ? Number(at.value) : -1, 1)[0] ?? none
    return undefined
  }
  if (object.type === 'ObjectValue') {
    const entries = object.value as Map<string, RuntimeValue>
    if (name !== 'update') return undefined
    return ([more]) => {
      for (const [key, value] of (more?.value ?? new Map()) as Map<string, RuntimeValue>) entries.set(key, value)
      return none
    }
  }
  if (object.type === 'StringValue') {
    const text = String(object.value)
    if (name === 'join')
      return ([list]) => new runtime.text(((list?.value ?? []) as RuntimeValue[]).map(printed).join(text))
    if (name === 'format') return args => new runtime.text(braceFormat(text, args))
    if (name === 'isdigit') return () => runtime.plain(/^\d+$/.test(text))
  }
  return undefined
}

/** A filter of ours, which answers undefined for what it leaves to the engine. */
export function filterOf(name: string): Filter | undefined {
  return filters[name]
}

const filters: Readonly<Record<string, Filter>> = {
  sum: ({ value }, _, runtime) =>
    runtime.plain((value as RuntimeValue[]).reduce((sum, item) => sum + Number(item.value), 0)),
  min: ({ value }) => extreme(value as RuntimeValue[], -1),
  max: ({ value }) => extreme(value as RuntimeValue[], 1),
  format: ({ value }, args, runtime) => new runtime.text(percentFormat(String(value), new runtime.list([...args]))),
  as_text: operand => operand,
  as_native: operand => operand,
  as_bool: ({ value }, _, runtime) => runtime.plain(value === true || value === 'true' || value === 'True'),
  as_number: ({ value }, _, runtime) => runtime.plain(Number(value)),
  map: (operand, [word], runtime) => {
    if (word?.type !== 'StringValue' || !Array.isArray(operand.value)) return undefined
    const change = textFilters[String(word.value)]
    return (
      change && new runtime.list((operand.value as RuntimeValue[]).map(item => new runtime.text(change(printed(item)))))
    )
  },
}

const textFilters: Readonly<Record<string, (text: string) => string>> = {
  upper: text => text.toUpperCase(),
  lower: text => text.toLowerCase(),
  trim: text => text.trim(),
  string: text => text,
}

/** `'%s-%s' % (a, b)`, as Python writes it. */
export function percentFormat(text: string, given: RuntimeValue): string {
  const values = [...(Array.isArray(given.value) ? (given.value as RuntimeValue[]) : [given])]
  return text.replace(/%(0?\d*)([sd%])/g, (_, width: string, kind: string) => {
    if (kind === '%') return '%'
    const value = values.shift()
    return (value ? printed(value) : '').padStart(Number(width || 0), width.startsWith('0') ? '0' : ' ')
  })
}

function braceFormat(text: string, args: readonly RuntimeValue[]): string {
  const named =
    args.at(-1)?.type === 'KeywordArgumentsValue' ? (args.at(-1)?.value as Map<string, RuntimeValue>) : undefined
  let next = 0
  return text.replace(/\{(\w*)\}/g, (all, key: string) => {
    const value = key === '' ? args[next++] : /^\d+$/.test(key) ? args[Number(key)] : named?.get(key)
    return value ? printed(value) : all
  })
}

function extreme(items: readonly RuntimeValue[], sign: 1 | -1): RuntimeValue | undefined {
  return items.toSorted((a, b) => sign * (Number(b.value) - Number(a.value)))[0]
}

/** A relation prints as its quoted name, everything else as what it holds. */
function printed(value: RuntimeValue): string {
  return value.value instanceof Map ? (value as object as { toString(): string }).toString() : String(value.value)
}
