/**
 * The Jinja of analytics projects: a template is parsed once and rendered with macros, functions and values. The engine underneath
 * knows no lines, so this file teaches it: every tag and every line of text carries a mark, marks that are passed say where an error
 * is, and the marks that reach the output say which line of the file a line of SQL came from.
 */
import type { Place } from '../errors.ts'
import { checkBlocks, findTags, lineCounter, malformed, mark, supportedHint, tokenizeTags } from './template-tags.ts'
import type { Template, TemplateFile, TemplateValue } from './template-model.ts'
import { type TemplateEngine, traced } from './template-trace.ts'

export type {
  CallContext,
  Relation,
  Template,
  TemplateFile,
  TemplateFunction,
  TemplateValue,
} from './template-model.ts'

export interface Rendered {
  readonly sql: string
  /** Where a line of `sql`, counted from 1, came from. */
  readonly place: (line: number) => Place
}

/** Parses a template. Throws TRANSFORM_INVALID with file and line. */
export async function parseTemplate({ file, source }: TemplateFile): Promise<Template> {
  const jinja = await engine()
  const lines = lineCounter(file, source)
  if (/[\ue000\ue001]/.test(source))
    throw malformed(
      new Error('The file holds characters of the private use area (U+E000, U+E001)'),
      lines.place(source.search(/[\ue000\ue001]/)),
    )
  const tags = findTags(source, lines)
  checkBlocks(tags)
  const { tokens, marks, tokenTags } = mark(tokenizeTags(jinja.tokenize, source, tags, lines), source, tags, lines)
  let furthest = 0
  const watched = new Proxy(tokens, {
    get(target, property) {
      if (typeof property === 'string' && /^\d+$/.test(property)) furthest = Math.max(furthest, Number(property))
      return Reflect.get(target, property) as unknown
    },
  })
  try {
    const program = jinja.parse(watched)
    return {
      file,
      source,
      program,
      marks,
      macros: tags.flatMap(({ block, name }) =>
        block === 'macro' ? [name] : block === 'test' ? [`test_${name}`] : [],
      ),
    }
  } catch (error) {
    const tag = tags[tokenTags[Math.min(furthest, tokens.length - 1)] ?? 0]
    throw malformed(error, tag?.place ?? lines.place(0), supportedHint)
  }
}

export interface RenderScope {
  readonly macros: readonly Template[]
  /** Functions and values; a macro of the same name takes the place of one. */
  readonly values: Readonly<Record<string, TemplateValue>>
  /** Names by which all macros can be called as well, as in `name.macro()`. */
  readonly namespaces?: readonly string[]
  /** What takes the place of macros and values. */
  readonly overrides?: Readonly<Record<string, TemplateValue>>
  /** Names that readers may expect, with why they are not there. */
  readonly refused?: Readonly<Record<string, string>>
}

/** Renders a template. Throws TRANSFORM_INVALID with file and line, in a macro's file where that is where it went wrong. */
export async function renderTemplate(template: Template, scope: RenderScope): Promise<Rendered> {
  const { macros, values, namespaces = [], overrides = {}, refused = {} } = scope
  const jinja = await engine()
  const environment = new jinja.Environment()
  const tracer = traced(jinja, environment, refused, values)
  for (const [name, value] of Object.entries({
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
  }))
    environment.set(name, value)
  // A template uses few of the many words that it could, and making values of all of them takes longer than rendering it.
  const texts = [template, ...macros].map(wordsOf)
  for (const [name, value] of Object.entries(values))
    if (texts.some(words => words.has(name))) environment.setVariable(name, tracer.toRuntime(value))
  for (const macro of macros) tracer.run(macro, 'quiet')
  for (const [name, value] of Object.entries(overrides)) environment.setVariable(name, tracer.toRuntime(value))
  const members = macros.flatMap(macro => macro.macros).map(name => [name, environment.lookupVariable(name)] as const)
  for (const name of namespaces) environment.setVariable(name, tracer.namespace(members))
  return mapLines(tracer.run(template, 'mapped'), template)
}

const words = new WeakMap<Template, ReadonlySet<string>>()

function wordsOf(template: Template): ReadonlySet<string> {
  const known = words.get(template) ?? new Set(template.source.match(/[A-Za-z_]\w*/g))
  words.set(template, known)
  return known
}

/** The engine's own type files name their parts without endings, which strict resolution cannot follow, so its shape is stated by us. */
async function engine(): Promise<TemplateEngine> {
  return import('@huggingface/jinja') as Promise<unknown> as Promise<TemplateEngine>
}

/** Takes the marks out of the text and keeps, for each line, the first that stood in it. */
function mapLines(text: string, template: Template): Rendered {
  const places: Place[] = []
  let sql = ''
  let line = 0
  let isBlank = true
  let current: Place = { file: template.file, line: 1, column: 1, source: template.source }
  for (const piece of text.split(/(\ue000\d+\ue001)/)) {
    const index = /^\ue000(\d+)\ue001$/.exec(piece)?.[1]
    if (index !== undefined) {
      current = template.marks[Number(index)] ?? current
      continue
    }
    for (const part of piece.split(/(?<=\n)/)) {
      const hasText = part.trim() !== ''
      if (hasText && isBlank) places[line] = current
      places[line] ??= current
      sql += part
      if (part.endsWith('\n')) {
        line++
        isBlank = true
      } else if (hasText) isBlank = false
    }
  }
  return { sql, place: at => places[Math.min(at, places.length) - 1] ?? current }
}
