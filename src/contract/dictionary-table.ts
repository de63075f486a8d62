/** One table of the dictionary: what it is for, its columns, and everything that the database enforces about it. */
import type { ClassOf } from '../schema/classification.ts'
import {
  type Check,
  type Column,
  type ForeignKey,
  type Grant,
  type Index,
  type Key,
  qualified,
  type Schema,
  type Table,
  type Trigger,
} from '../schema/model.ts'
import { badge, keptInWords, retentionNote, sensitivity } from './dictionary-classes.ts'
import { compare } from './fold.ts'
import { type Block, code, grid, text } from './markdown.ts'
import type { TenantOf } from './tenancy.ts'
import { bare, checkInWords, policyInWords } from './words.ts'

export interface DictionaryContext {
  readonly track: string
  /** Folded: without partitions. */
  readonly schema: Schema
  readonly classOf: ClassOf
  readonly tenantOf: TenantOf
  readonly linkTo: (table: string) => string
}

export function tableBlocks(table: Table, context: DictionaryContext): readonly Block[] {
  const own = table.indexes.filter(index => !index.constraint)
  return [
    { level: 3, title: code(qualified(table)), key: `table ${context.track} ${qualified(table)}` },
    table.comment ? text(table.comment) : '*No description yet.*',
    facts(table, context),
    columnGrid(table, context),
    list('Keys', keyLines(table)),
    list(
      'Points to',
      table.foreignKeys.map(
        key => `${context.linkTo(key.references)} by ${columns(key.columns)}${foreignKeyNotes(key)}`,
      ),
    ),
    list('Pointed to by', referrers(table, context)),
    list('Checks', [...table.checks, ...table.exclusions].map(checkLine)),
    list('Indexes', own.map(indexLine)),
    list('Rows that each role reaches', securityLines(table)),
    list('Rights', grantLines(table.grants)),
    list('Triggers', table.triggers.map(triggerLine)),
  ]
}

/** Rights of each role in words; a right on some columns names them. */
export function grantLines(grants: readonly Grant[]): readonly string[] {
  return grants
    .filter(grant => grant.privileges.length > 0)
    .map(({ role, privileges }) => `${code(role)}: ${privileges.map(text).join(', ')}`)
}

/** A label and its items; nothing when there is none. */
export function list(label: string, items: readonly string[]): string {
  return items.length ? [`**${label}**`, '', ...items.map(item => `- ${item}`)].join('\n') : ''
}

function facts(table: Table, { classOf, tenantOf }: DictionaryContext): string {
  const tenant = tenantOf(table)
  const lines = [
    `**Class** ${badge(sensitivity(table, classOf))}`,
    `**Kept** ${keptInWords(table, classOf)}`,
    `**Tenant** ${tenant === null ? 'shared' : code(tenant)}`,
    table.rowSecurity.enabled
      ? `**Row-level security** ${table.rowSecurity.forced ? 'on, also for the owner' : 'on'}`
      : '',
    table.partitioning ? `**Partitioned** by ${table.partitioning.strategy} of ${code(table.partitioning.key)}` : '',
    table.options.length ? `**Storage** ${table.options.map(code).join(', ')}` : '',
  ]
  return lines.filter(Boolean).join(' · ')
}

function columnGrid(table: Table, { classOf }: DictionaryContext): string {
  const rows = table.columns.map(column => {
    const declared = classOf(qualified(table), column.name)
    const notes = [
      keyMarks(table, column),
      declared && retentionNote(table, classOf, declared) && `kept ${retentionNote(table, classOf, declared)}`,
    ]
    return [
      code(column.name),
      code(column.type),
      column.nullable ? 'yes' : '',
      defaultOf(column),
      badge(declared?.class ?? null),
      !declared || declared.protection === 'none' ? '' : declared.protection,
      [text(column.comment ?? ''), notes.filter(Boolean).join(', ') && `*(${notes.filter(Boolean).join(', ')})*`]
        .filter(Boolean)
        .join(' '),
    ]
  })
  return grid(['Column', 'Type', 'Null', 'Default', 'Class', 'Protection', 'Description'], rows)
}

function keyMarks(table: Table, column: Column): string {
  const marks = [
    table.primaryKey?.columns.includes(column.name) && 'primary key',
    table.foreignKeys.some(key => key.columns.includes(column.name)) && 'foreign key',
  ]
  return marks.filter(Boolean).join(', ')
}

function defaultOf({ default: value, identity, generated }: Column): string {
  if (identity) return `identity, ${identity}`
  if (generated) return `generated: ${code(bare(generated))}`
  return value === null ? '' : code(bare(value))
}

function keyLines(table: Table): readonly string[] {
  const line = (kind: string, key: Key): string =>
    `${kind} ${columns(key.columns)}${key.qualifiers ? `, ${text(key.qualifiers)}` : ''} (${code(key.name)})`
  return [
    ...(table.primaryKey ? [line('Primary key', table.primaryKey)] : []),
    ...table.uniqueKeys.map(key => line('Unique', key)),
  ]
}

function foreignKeyNotes(key: ForeignKey): string {
  const notes = [
    `to ${columns(key.referencedColumns)}`,
    key.onDelete === 'no action' ? '' : `on delete ${key.onDelete}`,
    key.onUpdate === 'no action' ? '' : `on update ${key.onUpdate}`,
    key.deferrable ? 'deferrable' : '',
    heldTo(key),
  ]
  return ` ${notes.filter(Boolean).join(', ')} (${code(key.name)})`
}

function referrers(table: Table, { schema, linkTo }: DictionaryContext): readonly string[] {
  const name = qualified(table)
  return schema.tables
    .flatMap(other =>
      other.foreignKeys.filter(key => key.references === name).map(key => ({ from: qualified(other), key })),
    )
    .sort((a, b) => compare(a.from, b.from) || compare(a.key.name, b.key.name))
    .map(({ from, key }) => `${linkTo(from)} by ${columns(key.columns)}`)
}

function checkLine(check: Check): string {
  const words = checkInWords(check.definition) ?? code(bare(check.definition.replace(/^\s*CHECK\s*/i, '')))
  return `${[words, heldTo(check)].filter(Boolean).join(', ')} (${code(check.name)})`
}

function heldTo({ validated, enforced }: Check | ForeignKey): string {
  return enforced === false ? 'not enforced' : validated ? '' : 'not validated for old rows'
}

function indexLine(index: Index): string {
  const [, method = '', body = ''] = /\sUSING\s+(\w+)\s+(.+)$/is.exec(index.definition) ?? []
  const what = body ? code(body) : columns(index.columns)
  const notes = [
    index.unique ? 'unique' : '',
    method.toLowerCase() === 'btree' ? '' : method,
    index.valid ? '' : 'not valid: it must be built again',
  ]
  return [`${code(index.name)}:`, ...notes.filter(Boolean).map(note => `${note},`), what].join(' ')
}

function triggerLine(trigger: Trigger): string {
  const parsed =
    /^CREATE\s+(?:CONSTRAINT\s+)?TRIGGER\s+\S+\s+(BEFORE|AFTER|INSTEAD OF)\s+(.+?)\s+ON\s.*?FOR EACH (ROW|STATEMENT)\s+(?:WHEN\s+\((.*)\)\s+)?EXECUTE (?:FUNCTION|PROCEDURE)\s+(.+)$/is.exec(
      trigger.definition,
    )
  const off = trigger.enabled ? '' : ', switched off'
  if (!parsed) return `${code(trigger.name)}: ${code(trigger.definition)}${off}`
  const [, time = '', events = '', level = '', when, call = ''] = parsed
  return `${code(trigger.name)}: ${time.toLowerCase()} ${text(events.toLowerCase())}, for each ${level.toLowerCase()}${when ? ` when ${code(bare(when))}` : ''}, calls ${code(call)}${off}`
}

function securityLines({ rowSecurity }: Table): readonly string[] {
  if (!rowSecurity.enabled) return []
  if (rowSecurity.policies.length === 0)
    return ['Nobody but the owner sees a row: row-level security is on and there is no policy.']
  return rowSecurity.policies.map(policy => `${policyInWords(policy)} (${code(policy.name)})`)
}

function columns(names: readonly string[]): string {
  return names.map(code).join(', ')
}
