/** What a statement does, read from its first words, for engines whose text no parser here understands. */
import type { TransactionControl } from './transaction.ts'

export interface Described {
  /** The first keyword in lower case, such as `create`. */
  readonly kind: string
  readonly summary: string
  readonly tables: readonly string[]
  readonly control: TransactionControl
  readonly bare: boolean
  readonly setsSession: boolean
}

export function describeWords(text: string): Described {
  const plain = withoutComments(text)
  const kind = /^[a-z]+/i.exec(plain)?.[0].toLowerCase() ?? ''
  const match = object.exec(plain)
  const summary = match ? `${words(match[1])} ${match[2]}` : kind
  return {
    kind,
    summary,
    tables: match?.[2] && /table|into|update|from|truncate/i.test(match[1] ?? '') ? [match[2]] : [],
    control: controls[kind] ?? null,
    bare: kind === 'checkpoint' || kind === 'vacuum' || kind === 'force',
    setsSession: kind === 'set' || kind === 'use',
  }
}

const name = String.raw`(?:"[^"]*"|[\p{L}_][\p{L}\p{N}_$]*)(?:\.(?:"[^"]*"|[\p{L}_][\p{L}\p{N}_$]*))*`
const object = new RegExp(
  String.raw`^((?:create|alter|drop)\s+(?:or\s+replace\s+)?(?:(?:temp|temporary|persistent|unique|materialized)\s+)*(?:table|view|index|schema|sequence|type|macro|function)(?:\s+if\s+(?:not\s+)?exists)?|insert\s+(?:or\s+\w+\s+)?into|update|delete\s+from|truncate(?:\s+table)?|merge\s+into|comment\s+on\s+(?:table|column|view|schema)|copy|install|load)\s+(${name})`,
  'iu',
)

const controls: Readonly<Record<string, TransactionControl>> = {
  begin: 'begin',
  start: 'begin',
  commit: 'commit',
  end: 'commit',
  rollback: 'rollback',
  abort: 'rollback',
}

function words(text: string | undefined): string {
  return (text ?? '')
    .toLowerCase()
    .replace(/\s+if\s+(not\s+)?exists|\s+or\s+replace/g, '')
    .replace(/\s+/g, ' ')
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|--[^\n]*/g, ' ').trimStart()
}
