/** What a statement means for those who use the database meanwhile: which relations are in use, and what was seen to be locked and changed. */
import { type LockMode, lockStrength, type ObjectChange, type ObjectKind } from '../schema/rehearsal.ts'
import { dottedName, type Fields, fieldsOf, listOf, relationName, textOf } from '../sql/tree.ts'
import { familyOf, holds, isSame, relationIn } from './catalog.ts'
import type { StatementView } from './rule.ts'
import { statementsOf } from './transactions.ts'

/** Statements whose effects their text does not tell, since they run code. */
export const opaqueKinds = ['DoStmt', 'CallStmt', 'SelectStmt', 'ExecuteStmt'] as const

export function isOpaque({ statement }: StatementView): boolean {
  return opaqueKinds.some(kind => kind === statement.kind)
}

/** The relation's full name where others may use it: it was there before the file, and the file leaves it. Null where nobody can. */
export function inUse(view: StatementView, written: string): string | null {
  if (written === '' || isDroppedLater(view, written)) return null
  const locked = view.seen?.locks.find(({ relation }) => isSame(relation, written))
  if (locked) return locked.relation
  if (view.file.text.madeHere(written, view.statement.index)) return null
  return view.file.before ? relationIn(view.file.before, written) : written
}

/** Locks at least that strong on tables from before the step. */
export function locksSeen({ seen }: StatementView, mode: LockMode): readonly string[] {
  return (seen?.locks ?? [])
    .filter(lock => lock.kind.endsWith('table') && lockStrength(lock.mode) >= lockStrength(mode))
    .map(({ relation }) => relation)
}

/** The table, or a partition of it, was seen to be written anew or read from end to end; false without a rehearsal. */
export function wasSeen({ seen, file }: StatementView, what: 'rewrites' | 'scans', table: string): boolean {
  if (!seen || seen[what].length === 0) return false
  const family = familyOf(file.before, table)
  return seen[what].some(name => family.has(name))
}

/** What the statement dropped of what was there before the file. */
export function dropsSeen({ seen, file }: StatementView, kind: ObjectKind): readonly ObjectChange[] {
  return (seen?.changes ?? []).filter(
    change => change.action === 'drop' && change.kind === kind && (!file.before || holds(file.before, change)),
  )
}

/** As {@link dropsSeen}, without what the file makes anew. */
export function lossesSeen(view: StatementView, kind: ObjectKind): readonly ObjectChange[] {
  const after = view.file.step?.after
  return dropsSeen(view, kind).filter(change => !after || !holds(after, change))
}

/** The names that a `drop` lists, as written, when it drops that type of object, such as `TABLE`. */
export function dropped({ fields, statement }: Pick<StatementView, 'fields' | 'statement'>, type: string): string[] {
  if (statement.kind !== 'DropStmt' || textOf(fields, 'removeType') !== `OBJECT_${type}`) return []
  return listOf(fields, 'objects').map(dottedName)
}

/** What code that the statement runs gave another name, of what was there before the file. */
export function renamesSeen(view: StatementView, ...kinds: readonly ObjectKind[]): readonly ObjectChange[] {
  const { seen, file } = view
  if (!isOpaque(view)) return []
  return (seen?.changes ?? []).filter(
    change =>
      change.newName !== undefined && kinds.includes(change.kind) && (!file.before || holds(file.before, change)),
  )
}

/** An earlier statement of the file makes the type, domain or schema of that name. */
export function isTypeMadeHere({ file, statement }: StatementView, written: string): boolean {
  return Object.entries(madeBy).some(([kind, nameOf]) =>
    statementsOf(file, kind).some(({ statement: earlier, fields }) => {
      const name = nameOf(fields)
      return earlier.index < statement.index && (isSame(name, written) || isSame(written, name))
    }),
  )
}

const listed = (fields: Fields, list: string) => listOf(fields, list).map(dottedName).join('.')

const madeBy: Readonly<Record<string, (fields: Fields) => string>> = {
  CreateDomainStmt: fields => listed(fields, 'domainname'),
  CreateEnumStmt: fields => listed(fields, 'typeName'),
  CreateRangeStmt: fields => listed(fields, 'typeName'),
  CompositeTypeStmt: fields => relationName(fieldsOf(fields, 'typevar')),
  CreateSchemaStmt: fields => textOf(fields, 'schemaname'),
}

/** The table's name, with the rows that the target has where they are known. */
export function sized({ file }: StatementView, table: string): string {
  const rows = Object.entries(file.settings.targetRows).find(([name]) => isSame(name, table))?.[1]
  return rows === undefined || rows < 1 ? table : `${table} (about ${Math.round(rows).toLocaleString('en')} rows)`
}

/** Everything else in the file runs outside transactions too, or builds an index by itself, so this statement may as well. */
export function mayRunBare({ file, statement }: StatementView): boolean {
  return (
    file.script.text === file.script.body &&
    file.script.statements.every(
      other =>
        other.index === statement.index ||
        other.bare ||
        other.kind === 'IndexStmt' ||
        (other.setsSession && other.control === null),
    )
  )
}

function isDroppedLater({ file, statement }: StatementView, written: string): boolean {
  return statementsOf(file, 'DropStmt').some(
    later =>
      later.statement.index > statement.index &&
      ['TABLE', 'MATVIEW'].some(type =>
        dropped(later, type).some(name => isSame(name, written) || isSame(written, name)),
      ),
  )
}
