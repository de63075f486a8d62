/**
 * The Jinja of analytics projects: a template is parsed once and rendered with macros, functions and values. Every failure has a file and a
 * line, and a line of the text that comes out knows the line of the file that it came from.
 */
import type { Place } from '../errors.ts'
import type { Run, Scope } from './jinja/evaluate.ts'
import { globals } from './jinja/globals.ts'
import type { TemplateFile, TemplateValue } from './jinja/model.ts'
import { parse } from './jinja/parse.ts'
import { macrosOf, renderBody, returning } from './jinja/render.ts'
import type { Template } from './jinja/syntax.ts'
import { lineCounter } from './jinja/tokens.ts'
import { toValue, type Value } from './jinja/values.ts'

export type { CallContext, Relation, TemplateFile, TemplateFunction, TemplateValue } from './jinja/model.ts'
export type { Template } from './jinja/syntax.ts'
export { fraction, record, strict } from './jinja/values.ts'

export interface Rendered {
  readonly sql: string
  /** Where a line of `sql`, counted from 1, came from. */
  readonly place: (line: number) => Place
}

/** Parses a template. Throws TRANSFORM_INVALID with file and line. */
export function parseTemplate({ file, source, owner }: TemplateFile): Template {
  const body = parse(file, source)
  return { file, source, owner, body, macros: body.flatMap(one => (one.type === 'macro' ? [one.name] : [])) }
}

export interface RenderScope {
  readonly macros: readonly Template[]
  /** Functions and values; a macro of the same name takes the place of one. */
  readonly values: Readonly<Record<string, TemplateValue>>
  /** Names by which all macros can be called as well, as in `name.macro()`. */
  readonly namespaces?: readonly string[]
  /** Macros of others, which are called by the name before the dot alone. */
  readonly packages?: ReadonlyMap<string, readonly Template[]>
  /** What takes the place of macros and values. */
  readonly overrides?: Readonly<Record<string, TemplateValue>>
  /** Names that readers may expect, with why they are not there. */
  readonly refused?: Readonly<Record<string, string>>
}

/** Renders a template. Throws TRANSFORM_INVALID with file and line, in a macro's file where that is where it went wrong. */
export function renderTemplate(template: Template, scope: RenderScope): Rendered {
  const pieces: Piece[] = []
  renderBody(template, emptyScope(), runOf(template, scope), (text, at) => pieces.push({ text, at }))
  return withPlaces(pieces, template)
}

function emptyScope(): Scope {
  return { names: new Map(), parent: null }
}

/** What a word means: an override, a macro, a function or value of ours, or one that every template has. */
function runOf(
  template: Template,
  { macros, values, namespaces = [], packages = new Map(), overrides = {}, refused = {} }: RenderScope,
): Run {
  const known = new Map<string, Value>([...globals, ['return', returning]])
  const run: Run = {
    here: { template, at: 0 },
    questions: 0,
    depth: 0,
    // Values are made of those words alone that the template uses, since there are many more that it could.
    word: name => {
      const found = known.get(name)
      if (found !== undefined) return found
      const others = packages.get(name)
      if (others === undefined && !Object.hasOwn(values, name)) return undefined
      const value = others
        ? new Map<Value, Value>(others.flatMap(other => [...macrosOf(other, run, emptyScope())]))
        : toValue(values[name])
      known.set(name, value)
      return value
    },
    words: () => [...known.keys(), ...packages.keys(), ...Object.keys(values)],
    refused,
  }
  const own = new Map(macros.flatMap(macro => [...macrosOf(macro, run, emptyScope())]))
  for (const [name, macro] of own) known.set(name, macro)
  for (const [name, value] of Object.entries(overrides)) known.set(name, toValue(value))
  if (namespaces.length > 0) {
    const members = new Map<Value, Value>([...own.keys()].map(name => [name, known.get(name) ?? null]))
    for (const name of namespaces) known.set(name, members)
  }
  return run
}

interface Piece {
  readonly text: string
  /** Offset in the file of where it came from. */
  readonly at: number
}

/** Joins the pieces and keeps, for each line, where its first text came from. */
function withPlaces(pieces: readonly Piece[], { file, source }: Template): Rendered {
  const offsets: number[] = [0]
  let sql = ''
  let line = 0
  let isBlank = true
  for (const { text, at } of pieces) {
    const isOfFile = source.startsWith(text, at)
    let passed = 0
    for (const part of text.split(/(?<=\n)/)) {
      const from = isOfFile ? at + passed : at
      const hasText = part.trim() !== ''
      if (isBlank && (hasText || offsets[line] === undefined)) offsets[line] = from
      sql += part
      passed += part.length
      if (part.endsWith('\n')) {
        line++
        isBlank = true
      } else if (hasText) isBlank = false
    }
  }
  const placeAt = lineCounter(file, source)
  return { sql, place: at => placeAt(offsets[Math.min(at, offsets.length) - 1] ?? 0) }
}
