/** Class, protection and retention as the dictionary says them. */
import { type ClassOf, type ColumnClass, type DataClass, dataClasses } from '../schema/classification.ts'
import { qualified, type Table } from '../schema/model.ts'

/** The marks have the colours of the diagram and always stand beside the word, so nothing is told by colour alone. */
export function badge(name: DataClass | null): string {
  return name === null ? 'not classified' : `${marks[name]} ${name}`
}

/** The most sensitive class of a table's columns; null when none is classified. */
export function sensitivity(table: Table, classOf: ClassOf): DataClass | null {
  const used = new Set(classesOf(table, classOf).map(declared => declared.class))
  return dataClasses.findLast(name => used.has(name)) ?? null
}

/** How long a table's rows are kept: what most of its columns say. Columns that differ say so themselves. */
export function keptInWords(table: Table, classOf: ClassOf): string {
  const usual = usualRetention(table, classOf)
  return usual === null ? 'as long as used' : retentionInWords(usual)
}

/** What a column says of its retention, where that is not what its table says; else empty. */
export function retentionNote(table: Table, classOf: ClassOf, declared: ColumnClass): string {
  const usual = usualRetention(table, classOf)
  if ((usual?.retentionDays ?? null) === declared.retentionDays && (usual === null || usual.purge === declared.purge))
    return ''
  return declared.retentionDays === null ? 'as long as used' : retentionInWords(declared)
}

type Retention = Pick<ColumnClass, 'retentionDays' | 'purge'>

const marks: Readonly<Record<DataClass, string>> = {
  public: '⚪',
  internal: '🔵',
  confidential: '🟠',
  restricted: '🔴',
}
const endings = { delete: 'deleted', anonymize: 'anonymized', archive: 'archived' } as const

function retentionInWords({ retentionDays, purge }: Retention): string {
  const days = `${retentionDays} ${retentionDays === 1 ? 'day' : 'days'}`
  return purge === null ? days : `${days}, then ${endings[purge]}`
}

function usualRetention(table: Table, classOf: ClassOf): Retention | null {
  const votes = new Map<string, { readonly value: Retention; count: number }>()
  for (const declared of classesOf(table, classOf)) {
    const key = declared.retentionDays === null ? '' : `${declared.retentionDays} ${declared.purge}`
    const vote = votes.get(key) ?? { value: declared, count: 0 }
    vote.count++
    votes.set(key, vote)
  }
  const [most] = [...votes.values()].sort((a, b) => b.count - a.count)
  return most && most.value.retentionDays !== null ? most.value : null
}

function classesOf(table: Table, classOf: ClassOf): readonly ColumnClass[] {
  return table.columns.flatMap(column => classOf(qualified(table), column.name) ?? [])
}
