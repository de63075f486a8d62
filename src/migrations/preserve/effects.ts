/** What a statement may do to data, read from its tree alone. What only the catalog knows is resolved while the step runs; see care.ts. */
import type { Statement } from '../../sql/parse.ts'
import {
  dottedName,
  type Fields,
  fieldsOf,
  listOf,
  openNode,
  quotedName,
  quotedRelation,
  textOf,
  walk,
} from '../../sql/tree.ts'

export type Effect =
  /** Touches no data that was there. */
  | { readonly kind: 'none' }
  /** Runs code that may do anything, such as triggers and functions; what it did is read from the catalog and the counters of rows. */
  | { readonly kind: 'observed' }
  /** `empties`: by truncating, which leaves no old row to look at afterwards. */
  | { readonly kind: 'write'; readonly tables: readonly string[]; readonly empties: boolean }
  | { readonly kind: 'rename'; readonly table: string; readonly from: string; readonly to: string }
  | { readonly kind: 'drop'; readonly what: DropTarget; readonly names: readonly string[]; readonly cascade: boolean }
  | { readonly kind: 'alter'; readonly table: string; readonly changes: ColumnChanges }
  /** Nothing can bring that back, or nobody can see it. */
  | { readonly kind: 'beyond'; readonly loss: 'irreversible' | 'unproven'; readonly why: string }

export type DropTarget = 'table' | 'schema' | 'sequence' | 'collation' | 'other'

/** Columns that an `alter table` takes away, gives another type, or takes the identity from. */
export interface ColumnChanges {
  readonly dropped: readonly string[]
  readonly retyped: readonly string[]
  readonly unnumbered: readonly string[]
}

/** Names are quoted and as far qualified as written. */
export function effectOf({ tree }: Statement): Effect {
  const [kind, fields] = openNode(tree)
  const written = tablesWritten(tree)
  if (written.length > 0) return { kind: 'write', tables: written, empties: kind === 'TruncateStmt' }
  return (effects[kind] ?? runsCode)(fields, tree)
}

/**
 * The table of an insert whose own words run no code: values alone, no function, operator or relation to read. What the table itself runs,
 * such as triggers, is for the catalog to say. Null for every other statement.
 */
export function plainInsert({ tree }: Statement): string | null {
  const [kind, fields] = openNode(tree)
  if (kind !== 'InsertStmt' || tablesWritten(tree).length > 0) return null
  let plain = callsFunctions(fields, tree).kind === 'none'
  walk(tree, inner => {
    if (inner === 'RangeVar' || inner === 'A_Expr') plain = false
  })
  return plain ? quotedRelation(fieldsOf(fields, 'relation')) : null
}

/**
 * The tables of an update or delete that does nothing where they are empty: it adds no row, and calls functions for each of theirs alone. Null
 * for every other statement.
 */
export function plainChange({ tree }: Statement): readonly string[] | null {
  const [kind, fields] = openNode(tree)
  if (!/^(Update|Delete)Stmt$/.test(kind)) return null
  let adds = false
  let looksElsewhere = false
  walk(tree, inner => {
    adds ||= inner === 'InsertStmt' || inner === 'MergeStmt'
    looksElsewhere ||= inner === 'SelectStmt' || inner === 'RangeFunction'
  })
  if (adds || (looksElsewhere && callsFunctions(fields, tree).kind !== 'none')) return null
  return tablesWritten(tree)
}

/** Tables whose existing rows the statement changes by its own words, also inside a `with`. */
function tablesWritten(tree: unknown): string[] {
  const names = new Set<string>()
  walk(tree, (kind, fields) => {
    const upserts =
      kind === 'InsertStmt' && textOf(fieldsOf(fields, 'onConflictClause'), 'action') === 'ONCONFLICT_UPDATE'
    if (upserts || /^(Update|Delete|Merge)Stmt$/.test(kind)) names.add(quotedRelation(fieldsOf(fields, 'relation')))
    if (kind === 'TruncateStmt')
      for (const node of listOf(fields, 'relations')) names.add(quotedRelation(openNode(node)[1]))
  })
  return [...names]
}

type Judge = (fields: Fields, tree: unknown) => Effect

const none: Effect = { kind: 'none' }
const observed: Effect = { kind: 'observed' }
const harmless: Judge = () => none
const watched: Judge = () => observed

/** A statement that is not named here changes the catalog and no rows. */
const runsCode: Judge = () => none

const effects: Readonly<Record<string, Judge>> = {
  AlterExtensionStmt: watched,
  AlterTableStmt: judgeAlter,
  CallStmt: watched,
  CopyStmt: fields => (fields['is_from'] === true ? observed : none),
  CreateTableAsStmt: callsFunctions,
  DoStmt: watched,
  DropOwnedStmt: () => ({ kind: 'drop', what: 'other', names: [], cascade: true }),
  DropStmt: judgeDrop,
  DropdbStmt: fields => ({
    kind: 'beyond',
    loss: 'irreversible',
    why: `the database ${textOf(fields, 'dbname')} is dropped with everything in it`,
  }),
  ExecuteStmt: watched,
  ExplainStmt: watched,
  ImportForeignSchemaStmt: harmless,
  InsertStmt: watched,
  RefreshMatViewStmt: callsFunctions,
  RenameStmt: judgeRename,
  SelectStmt: callsFunctions,
}

/** Reading is harmless; a function may be anything, unless it is one of the server's that are known to change nothing. */
function callsFunctions(_fields: Fields, tree: unknown): Effect {
  let found: Effect = none
  walk(tree, (kind, fields) => {
    if (kind !== 'FuncCall') return
    const name = dottedName(fields['funcname']).replace(/^pg_catalog\./, '')
    if (name === 'lo_unlink' || name === 'lo_put' || name === 'lowrite')
      found = { kind: 'beyond', loss: 'irreversible', why: `a large object is changed by ${name}` }
    else if (found.kind === 'none' && !calm.has(name)) found = observed
  })
  return found
}

const calm: ReadonlySet<string> = new Set(
  [
    'set_config current_setting nextval setval currval now clock_timestamp count min',
    'max sum avg format lower upper length md5 gen_random_uuid',
    'generate_series random to_regclass pg_sleep concat replace split_part array_agg string_agg',
    'unnest row_number pg_backend_pid pg_get_serial_sequence',
  ].flatMap(line => line.split(' ')),
)

const dropTargets: Readonly<Record<string, DropTarget>> = {
  OBJECT_TABLE: 'table',
  OBJECT_SCHEMA: 'schema',
  OBJECT_SEQUENCE: 'sequence',
  OBJECT_TYPE: 'other',
  OBJECT_DOMAIN: 'other',
  OBJECT_COLLATION: 'collation',
  OBJECT_EXTENSION: 'other',
}

/** Without CASCADE only what is named goes; with it, columns and tables may hang on anything. */
function judgeDrop(fields: Fields): Effect {
  const cascade = textOf(fields, 'behavior') === 'DROP_CASCADE'
  const what = dropTargets[textOf(fields, 'removeType')] ?? (cascade ? 'other' : undefined)
  if (what === undefined) return none
  // A name in one part, such as a schema's, is a bare string in the tree.
  const names = listOf(fields, 'objects').map(node => quotedName(partsOf(node)))
  return { kind: 'drop', what, names, cascade }
}

function partsOf(node: unknown): string[] {
  const [kind, fields] = openNode(node)
  if (kind === 'String') return [textOf(fields, 'sval')]
  const list = kind === 'List' ? listOf(fields, 'items') : kind === 'TypeName' ? listOf(fields, 'names') : []
  return list.map(dottedName)
}

function judgeRename(fields: Fields): Effect {
  if (textOf(fields, 'renameType') !== 'OBJECT_COLUMN') return none
  const table = quotedRelation(fieldsOf(fields, 'relation'))
  return { kind: 'rename', table, from: textOf(fields, 'subname'), to: textOf(fields, 'newname') }
}

function judgeAlter(fields: Fields): Effect {
  const commands = listOf(fields, 'cmds').map(node => openNode(node)[1])
  const named = (subtype: string) =>
    commands.filter(command => textOf(command, 'subtype') === subtype).map(command => textOf(command, 'name'))
  const changes = {
    dropped: named('AT_DropColumn'),
    retyped: named('AT_AlterColumnType'),
    unnumbered: named('AT_DropIdentity'),
  }
  const type = textOf(fields, 'objtype')
  if (type === 'OBJECT_TYPE' && changes.dropped.length > 0)
    return {
      kind: 'beyond',
      loss: 'unproven',
      why: `the attribute ${changes.dropped.join(', ')} of a type is dropped, and values of that type lose it wherever they are stored`,
    }
  if (type !== 'OBJECT_TABLE' || Object.values(changes).every(names => names.length === 0)) return none
  return { kind: 'alter', table: quotedRelation(fieldsOf(fields, 'relation')), changes }
}
