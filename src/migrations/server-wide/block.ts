/** What DO blocks say of what all databases of a server share: their statements, also those that they compose and execute. */
import type { Parse, Statement } from '../../sql/parse.ts'
import { splitStatements } from '../../sql/split.ts'
import { openNode, optionsOf, textOf } from '../../sql/tree.ts'
import { PlinthError } from '../../errors.ts'
import { insteadOf, rolesMade, rolesNamed } from './statement.ts'

export interface Block {
  readonly body: string
  readonly parts: readonly Part[]
}

/** A statement of the block that may be about roles or the server. */
interface Part {
  /** String indexes in the body. */
  readonly start: number
  readonly end: number
  /** What it runs; null where it composes that as it runs. */
  readonly tree: Statement['tree'] | null
}

/** Null for other statements, and for blocks that say nothing of the kind. */
export function blockOf(statement: Statement, parse: Parse): Block | null {
  const [kind, fields] = openNode(statement.tree)
  if (kind !== 'DoStmt') return null
  const options = optionsOf(fields, 'args')
  const said = (name: string) => textOf(openNode(options.get(name)?.['arg'])[1], 'sval')
  const body = said('as')
  if (!/^(?:|plpgsql)$/i.test(said('language')) || !told.test(body)) return null
  const parts = piecesOf(body).flatMap(piece => partIn(body, piece, parse) ?? [])
  return parts.length === 0 ? null : { body, parts }
}

/** Roles that are named, also by a text that a composed statement may take its name from. */
export function rolesOfBlock({ body, parts }: Block): string[] {
  const named = parts.flatMap(({ tree }) => (tree === null ? [] : rolesNamed(tree)))
  return [...named, ...composedNames({ body, parts })]
}

export function rolesMadeIn({ body, parts }: Block): string[] {
  const made = parts.flatMap(({ tree }) => (tree === null ? [] : rolesMade(tree)))
  return [...made, ...composedNames({ body, parts })]
}

/** The body with what may run, in as many lines; null where it may stay. */
export function rewrittenBody({ body, parts }: Block, existing: ReadonlySet<string>): string | null {
  let text = body
  for (const { start, end, tree } of parts.toReversed()) {
    const own = body.slice(start, end)
    const instead = tree === null ? insteadOfComposed(own) : insteadOf(tree, existing)
    if (instead === null) continue
    text = `${text.slice(0, start)}${instead || 'null'}${own.replace(/[^\n]/g, '')}${text.slice(end)}`
  }
  return text === body ? null : text
}

const told =
  /\b(?:create|alter|drop)\s+(?:role|user|group|database|system)\b|\b(?:grant|revoke)\b|\bcomment\s+on\s+(?:role|database)\b|\bowned\s+by\b/i

/** Where its statements are, behind the words that lead to them. */
function piecesOf(body: string): { readonly start: number; readonly end: number }[] {
  try {
    return splitStatements(body).flatMap(({ start, end }) => {
      const plain = body.slice(start, end).replace(quoted, one => 'x'.repeat(one.length))
      const lead = [...plain.matchAll(/\b(?:begin|then|else|loop)\b|>>/gi)].at(-1)
      const from = start + (lead ? lead.index + lead[0].length : 0)
      return splitStatements(body.slice(from, end)).map(own => ({ start: from + own.start, end: from + own.end }))
    })
  } catch (error) {
    if (error instanceof PlinthError) return []
    throw error
  }
}

const quoted =
  /\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$|--[^\n]*|\/\*[\s\S]*?\*\//g

function partIn(
  body: string,
  { start, end }: { readonly start: number; readonly end: number },
  parse: Parse,
): Part | null {
  const own = body.slice(start, end)
  if (!told.test(own)) return null
  const executed = /^execute\s+([\s\S]*)$/i.exec(own)?.[1]
  if (executed === undefined) {
    const tree = treeOf(own, parse)
    return tree && { start, end, tree }
  }
  const literal = /^'((?:[^']|'')*)'$/.exec(executed.trim())?.[1]
  return { start, end, tree: literal === undefined ? null : treeOf(literal.replaceAll("''", "'"), parse) }
}

/** Null for what is no statement of SQL, such as one of the block's own language. */
function treeOf(text: string, parse: Parse): Statement['tree'] | null {
  try {
    const [first, ...others] = parse(text, '').statements
    return first && others.length === 0 ? first.tree : null
  } catch (error) {
    if (error instanceof PlinthError) return null
    throw error
  }
}

/** Nobody knows the role before it runs: one that is there already is as it should be, and none is dropped or changed. */
function insteadOfComposed(own: string): string | null {
  if (makesRole.test(own)) return `begin ${own.replaceAll(/\s+/g, ' ')}; exception when duplicate_object then null; end`
  const ofRoles = /\b(?:alter|drop)\s+(?:role|user|group)\b(?!\s+mapping)|\bowned\s+by\b|\bcomment\s+on\s+role\b/i.test(
    own,
  )
  const ofMembers = /\b(?:grant|revoke)\b/i.test(own) && !/\bon\b/i.test(own)
  const ofServer =
    /\balter\s+system\b|\b(?:alter|drop|on)\s+database\b/i.test(own) && !/\bcurrent_(?:database|catalog)\b/i.test(own)
  return ofRoles || ofMembers || ofServer ? '' : null
}

const makesRole = /\bcreate\s+(?:role|user|group)\b(?!\s+mapping)/i

/** Texts of a block that makes roles by composed statements: one of them may be the name. */
function composedNames({ body, parts }: Block): string[] {
  const makes = parts.some(({ start, end, tree }) => tree === null && makesRole.test(body.slice(start, end)))
  if (!makes) return []
  const texts = [...body.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"))
  const said = [...body.matchAll(/\bcreate\s+(?:role|user|group)\s+(?:"([^"]+)"|([\w$]+))/gi)]
  return [...texts, ...said.map(([, exact, folded = '']) => exact ?? folded.toLowerCase())].filter(name =>
    /^[^\s%]{1,63}$/.test(name),
  )
}
