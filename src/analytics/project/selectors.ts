/** Selections that a project names in `selectors.yml`, and how they are made of others: unions, intersections, what is left out. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import * as z from 'zod'
import { parseYaml } from '../../config/yaml.ts'
import { nearest, type Place, PlinthError } from '../../errors.ts'
import { readText } from './files.ts'
import { isYes, mappingOf, textOf } from './shapes.ts'

/** Criteria as the command line writes them, and what they are put together by. */
export type Choice =
  | { readonly kind: 'criterion'; readonly text: string; readonly indirect?: Indirect | undefined }
  | { readonly kind: 'union' | 'intersection'; readonly parts: readonly Choice[]; readonly left: readonly Choice[] }

/**
 * Which checks come with what is selected: those that look at any of it, at nothing else, at nothing else but what it is made from, or none. As dbt
 * calls them.
 */
export type Indirect = 'eager' | 'cautious' | 'buildable' | 'empty'

export interface Selectors {
  /** What holds where the command line says nothing; null where none is the default. */
  readonly initial: Choice | null
  /** Throws USAGE for a name that is not there. */
  readonly named: (name: string) => Choice
}

/** Throws FILE_UNREADABLE, TRANSFORM_INVALID. */
export async function readSelectors(folder: string, root: string): Promise<Selectors> {
  const path = join(folder, 'selectors.yml')
  const shape = z.looseObject({
    selectors: z.array(z.looseObject({ name: z.string(), definition: z.unknown() })),
  })
  const file = relative(root, path)
  const read = existsSync(path)
    ? await parseYaml(await readText(path, root), file, shape, 'TRANSFORM_INVALID', 'selectors')
    : null
  const entries = read?.value.selectors ?? []
  const choices = new Map<string, Choice>()
  for (const [index, { name, definition }] of entries.entries())
    choices.set(name, choiceOf(definition, choices, read?.place(['selectors', index, 'definition']) ?? {}))
  const initial = entries.find(one => isYes(one['default']))
  return {
    initial: (initial && choices.get(initial.name)) ?? null,
    named: name => {
      const found = choices.get(name)
      if (found) return found
      const guess = nearest(name, [...choices.keys()])
      throw new PlinthError('USAGE', `There is no selector "${name}".`, {
        at: { file },
        hint: guess ? `Did you mean "${guess}"?` : `Known: ${[...choices.keys()].join(', ') || 'none'}.`,
      })
    },
  }
}

function choiceOf(given: unknown, known: ReadonlyMap<string, Choice>, at: Place): Choice {
  if (typeof given === 'string') return criterion(given)
  const mapping = mappingOf(given)
  for (const kind of ['union', 'intersection'] as const)
    if (Array.isArray(mapping[kind])) return several(kind, mapping[kind] as readonly unknown[], known, at)
  const method = textOf(mapping['method'])
  if (method !== undefined) return ofMethod(method, mapping, known, at)
  const [pair] = Object.entries(mapping)
  const value = pair && textOf(pair[1])
  if (pair && value !== undefined) return ofMethod(pair[0], { value }, known, at)
  throw new PlinthError('TRANSFORM_INVALID', 'This is no definition of a selector.', {
    at,
    hint: 'Write a text as for --select, {method: …, value: …}, {union: […]} or {intersection: […]}.',
  })
}

function several(
  kind: 'union' | 'intersection',
  given: readonly unknown[],
  known: ReadonlyMap<string, Choice>,
  at: Place,
): Choice {
  const isLeft = (one: unknown) => Array.isArray(mappingOf(one)['exclude']) && !('method' in mappingOf(one))
  const choices = (list: readonly unknown[]) => list.map(one => choiceOf(one, known, at))
  const left = given.filter(isLeft).flatMap(one => mappingOf(one)['exclude'] as readonly unknown[])
  return { kind, parts: choices(given.filter(one => !isLeft(one))), left: choices(left) }
}

function ofMethod(
  method: string,
  mapping: Readonly<Record<string, unknown>>,
  known: ReadonlyMap<string, Choice>,
  at: Place,
): Choice {
  const value = textOf(mapping['value']) ?? ''
  const found =
    method === 'selector'
      ? grown(value, mapping, known)
      : criterion(spelled(method, value, mapping), indirectOf(mapping['indirect_selection'], at))
  if (!found)
    throw new PlinthError('TRANSFORM_INVALID', `There is no selector "${value}" before this one.`, {
      at,
      hint: `Known: ${[...known.keys()].join(', ') || 'none'}.`,
    })
  const left = Array.isArray(mapping['exclude']) ? (mapping['exclude'] as readonly unknown[]) : []
  if (left.length === 0) return found
  return { kind: 'union', parts: [found], left: left.map(one => choiceOf(one, known, at)) }
}

/** Another selection, with what surrounds it where that is asked for. */
function grown(
  value: string,
  mapping: Readonly<Record<string, unknown>>,
  known: ReadonlyMap<string, Choice>,
): Choice | undefined {
  const found = known.get(value)
  const text = spelled('selector', value, mapping)
  return found && text !== `selector:${value}` ? criterion(text) : found
}

function indirectOf(given: unknown, at: Place): Indirect | undefined {
  const known: readonly Indirect[] = ['eager', 'cautious', 'buildable', 'empty']
  if (given === undefined || given === null) return undefined
  const found = known.find(one => one === given)
  if (found) return found
  throw new PlinthError('TRANSFORM_INVALID', `"${textOf(given) ?? ''}" does not say which checks are selected.`, {
    at,
    hint: `indirect_selection is one of ${known.join(', ')}.`,
  })
}

/** As the command line would say it. */
function spelled(method: string, value: string, mapping: Readonly<Record<string, unknown>>): string {
  const depth = (key: string) => textOf(mapping[key]) ?? ''
  const before = isYes(mapping['childrens_parents'])
    ? '@'
    : isYes(mapping['parents'])
      ? `${depth('parents_depth')}+`
      : ''
  const after = isYes(mapping['children']) ? `+${depth('children_depth')}` : ''
  return `${before}${method}:${value}${after}`
}

function criterion(text: string, indirect?: Indirect): Choice {
  return { kind: 'criterion', text, indirect }
}
