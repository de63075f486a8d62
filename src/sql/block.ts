/** The statements that a `do` block of PL/pgSQL runs, also those that it composes, as far as its text tells them. */
import type { Node } from 'libpg-query'
import { type Fields, dottedName, fieldsOf, listOf, openNode, textOf, walk } from './tree.ts'

export interface InnerStatement {
  readonly tree: Node
  /** String indexes in the text that was read; null where it stands there in other words, such as without its `into`. */
  readonly place: { readonly start: number; readonly end: number } | null
}

/** What stands for a name that is only known when the block runs. */
export const composedName = '?'

/** PostgreSQL's own parsers; they throw at what they cannot read. */
export interface Parsers {
  readonly sql: (text: string) => { readonly stmts?: readonly { readonly stmt?: Node }[] }
  readonly plpgsql: (text: string) => unknown
}

/** `text` is one whole statement. What cannot be read, as in other languages, tells nothing. */
export function innerStatements(text: string, parsers: Parsers): readonly InnerStatement[] {
  const block = attempt(() => parsers.plpgsql(text))
  const found: InnerStatement[] = []
  const taken = new Set<number>()
  const add = (query: string, run: string | null) => {
    const tree = run === null ? null : treeOf(run, parsers)
    if (tree) found.push({ tree, place: placeOf(text, query, taken) })
  }
  const assigned = assignments(block)
  walk(block, (kind, fields) => {
    if (kind === 'PLpgSQL_expr' && fields['parseMode'] === 0) add(textOf(fields, 'query'), textOf(fields, 'query'))
    const executed = executing[kind]
    const [, expression] = openNode(executed === undefined ? null : fields[executed])
    const query = textOf(expression, 'query')
    const made = assigned.get(query.toLowerCase()) ?? [query]
    // Of a text that is put together step by step nobody knows what it becomes.
    if (query !== '' && made.length === 1) for (const one of made) add(one, composed(one, parsers))
  })
  return found
}

/** What runs the text of an expression, and where that stands. */
const executing: Readonly<Record<string, string>> = {
  PLpgSQL_stmt_dynexecute: 'query',
  PLpgSQL_stmt_dynfors: 'query',
  PLpgSQL_stmt_open: 'dynquery',
}

/** The expressions that each variable gets, by its name in small letters. */
function assignments(block: unknown): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  walk(block, (kind, fields) => {
    const declared = kind === 'PLpgSQL_var' ? textOf(openNode(fields['default_val'])[1], 'query') : ''
    const assigned = kind === 'PLpgSQL_stmt_assign' ? textOf(openNode(fields['expr'])[1], 'query') : ''
    const [, name = textOf(fields, 'refname'), value = declared] = /^\s*(\w+)\s*:?=\s*([\s\S]+)$/.exec(assigned) ?? []
    if (value !== '') found.set(name.toLowerCase(), [...(found.get(name.toLowerCase()) ?? []), value])
  })
  return found
}

function treeOf(text: string, { sql }: Parsers): Node | null {
  const [first, ...others] = attempt(() => sql(text))?.stmts ?? []
  return first?.stmt && others.length === 0 ? first.stmt : null
}

/** The text that an expression makes, where it looks like a statement. */
function composed(expression: string, parsers: Parsers): string | null {
  if (!/'\s*[a-z]|\$\w*\$/i.test(expression)) return null
  const [, select] = openNode(treeOf(`select ${expression}`, parsers))
  const [, target] = openNode(listOf(select, 'targetList')[0])
  const text = textMade(target['val'])
  return text === unknown ? null : text
}

const unknown = `"${composedName}"`

function textMade(node: unknown): string {
  const [kind, fields] = openNode(node)
  if (kind === 'A_Const') return textOf(fieldsOf(fields, 'sval'), 'sval') || unknown
  if (kind === 'TypeCast') return textMade(fields['arg'])
  if (kind === 'A_Expr' && dottedName(fields['name']) === '||')
    return `${textMade(fields['lexpr'])}${textMade(fields['rexpr'])}`
  if (kind === 'FuncCall' && /^(pg_catalog\.)?format$/.test(dottedName(fields['funcname']))) return formatted(fields)
  return unknown
}

/** `%L` is a value, everything else most often a name. */
function formatted(call: Fields): string {
  const form = textMade(listOf(call, 'args')[0])
  return form.replace(/%(?:\d+\$)?-?(?:\d+|\*)?([sIL%])/g, (_, sign: string) =>
    sign === '%' ? '%' : sign === 'L' ? 'null' : unknown,
  )
}

function placeOf(text: string, query: string, taken: Set<number>): InnerStatement['place'] {
  let start = text.indexOf(query)
  while (taken.has(start)) start = text.indexOf(query, start + 1)
  if (start === -1) return null
  taken.add(start)
  return { start, end: start + query.length }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
