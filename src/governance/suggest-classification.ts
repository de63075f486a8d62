/** Proposes entries for columns that are not classified yet. A proposal errs on the strict side and is for a person to read. */
import type { DataClass, Protection } from '../schema/classification.ts'
import type { Column, Schema } from '../schema/model.ts'
import { isBytes, relationsOf, soundsSensitive } from './check-classification.ts'
import type { Classification } from './classification.ts'

export interface ClassificationSuggestion {
  readonly table: string
  readonly column: string
  readonly class: DataClass
  readonly protection: Protection
  /** Why, in a few words. */
  readonly reason: string
}

/** One suggestion for each column that `classification` does not name, in the order of tables and columns. */
export function suggestClassification(
  classification: Classification | null,
  schemas: readonly Schema[],
): readonly ClassificationSuggestion[] {
  return schemas
    .flatMap(relationsOf)
    .filter(relation => relation.stores)
    .flatMap(({ name, columns }) =>
      columns
        .filter(column => !classification?.tables.get(name)?.columns.has(column.name))
        .map(column => ({ table: name, column: column.name, ...guess(column) })),
    )
}

/** The suggestions as text that can be pasted under `tables:`. */
export function renderSuggestions(suggestions: readonly ClassificationSuggestion[]): string {
  const tables = [...new Set(suggestions.map(suggestion => suggestion.table))].map(
    table => [table, suggestions.filter(suggestion => suggestion.table === table)] as const,
  )
  return tables
    .flatMap(([table, entries]) => [`  ${key(table)}:`, '    columns:', ...entries.map(entryLine)])
    .concat('')
    .join('\n')
}

function entryLine({ column, class: name, protection, reason }: ClassificationSuggestion): string {
  return `      ${key(column)}: { class: ${name}, protection: ${protection} } # ${reason}`
}

/** Quoted where YAML would read something else. */
function key(name: string): string {
  return /^[A-Za-z_][\w.]*$/.test(name) && !/^(null|true|false|yes|no|on|off|y|n)$/i.test(name)
    ? name
    : JSON.stringify(name)
}

function guess(column: Column): Pick<ClassificationSuggestion, 'class' | 'protection' | 'reason'> {
  const words = column.name.toLowerCase().split(/[^a-z]+/)
  if (isBytes(column.type) && words.some(word => ['hash', 'digest', 'hmac'].includes(word)))
    return { class: 'restricted', protection: 'hashed', reason: 'bytes named like a hash' }
  if (isBytes(column.type) && words.some(word => ['ciphertext', 'encrypted', 'sealed'].includes(word)))
    return { class: 'restricted', protection: 'encrypted', reason: 'bytes named like a ciphertext' }
  const sounds = soundsSensitive(column)
  if (sounds === 'secret')
    return { class: 'restricted', protection: 'none', reason: 'named like a secret: hash or encrypt it' }
  if (sounds === 'person') return { class: 'confidential', protection: 'none', reason: 'named like personal data' }
  if (
    words.some(word =>
      ['id', 'at', 'status', 'created', 'updated', 'deleted', 'count', 'version', 'revision'].includes(word),
    )
  )
    return { class: 'internal', protection: 'none', reason: 'named like a key, a time or a state' }
  if (/^(text|json|xml|character varying|varchar|string)/i.test(column.type))
    return { class: 'confidential', protection: 'none', reason: 'free text can hold anything' }
  return { class: 'internal', protection: 'none', reason: 'no sign of personal data' }
}
