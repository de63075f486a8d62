/** The names that a statement gives. */
import { dottedName, type Fields, fieldsOf, listOf, openNode, textOf } from '../../sql/tree.ts'
import { once } from '../once.ts'
import type { StatementView } from '../rule.ts'
import { madeColumns, objectName } from './columns.ts'

export interface MadeName {
  readonly kind: string
  readonly name: string
  /** What it belongs to or its own name with its schema, as written. */
  readonly object: string
}

/** The statements whose text gives names. */
export const nameKinds = [
  'AlterTableStmt',
  'CompositeTypeStmt',
  'CreateDomainStmt',
  'CreateEnumStmt',
  'CreateFunctionStmt',
  'CreatePolicyStmt',
  'CreateSchemaStmt',
  'CreateSeqStmt',
  'CreateStmt',
  'CreateTableAsStmt',
  'CreateTrigStmt',
  'IndexStmt',
  'RenameStmt',
  'ViewStmt',
]

/** Relations, columns, constraints, types and routines; also those that a block of code makes, where it was rehearsed. */
export function madeNames(view: StatementView): readonly MadeName[] {
  return view.seen ? distinct(view, [...namesSeen(view), ...namesWritten(view)]) : written(view)
}

/** What was seen is asked anew, since the view notes who asks for it. */
const written = once((view: StatementView) => distinct(view, namesWritten(view)))

function distinct(view: StatementView, names: readonly MadeName[]): readonly MadeName[] {
  const columns = madeColumns(view).map(({ table, name }) => ({
    kind: 'column',
    name,
    object: `${objectName(table)}.${name}`,
  }))
  if (names.length + columns.length < 2) return columns.length === 0 ? names : columns
  const seen = new Set<string>()
  return [...names, ...columns].filter(({ kind, name }) => {
    const key = `${kind} ${name}`
    return !seen.has(key) && seen.add(key)
  })
}

const kinds = new Set([
  'table',
  'view',
  'materialized view',
  'sequence',
  'enum',
  'domain',
  'schema',
  'policy',
  'index',
  'trigger',
])

function namesSeen({ seen, file, statement }: StatementView): MadeName[] {
  // What the server makes up for a plain statement follows from names that were judged already.
  if (!/^(Do|Select|Call)Stmt$/.test(statement.kind)) return []
  const parts = new Set((file.step?.after.tables ?? []).filter(one => one.partitionOf !== null).map(one => one.name))
  return (seen?.changes ?? [])
    .filter(change => change.action === 'create' && kinds.has(change.kind))
    .map(change => ({ kind: change.kind, name: lastPart(change.name, change.of), object: change.name }))
    .filter(one => !parts.has(one.name))
}

function lastPart(name: string, of: string | null): string {
  return of !== null && name.startsWith(`${of}.`) ? name.slice(of.length + 1) : name.slice(name.indexOf('.') + 1)
}

function namesWritten({ statement, fields }: StatementView): MadeName[] {
  const own = nameOf(statement.kind, fields)
  const names = constraintsWritten(statement.kind, fields)
    .map(constraint => textOf(constraint, 'conname'))
    .filter(Boolean)
  if (names.length === 0) return own
  const table = objectName(relationOf(fieldsOf(fields, 'relation')))
  return [...own, ...names.map(name => ({ kind: 'constraint', name, object: `${table}.${name}` }))]
}

const none: readonly Fields[] = []

/** Those of the table and of its columns. */
function constraintsWritten(kind: string, fields: Fields): readonly Fields[] {
  if (kind !== 'CreateStmt' && kind !== 'AlterTableStmt') return none
  const written =
    kind === 'CreateStmt' ? listOf(fields, 'tableElts') : listOf(fields, 'cmds').map(node => openNode(node)[1]['def'])
  return written.flatMap(node => {
    const [what, own] = openNode(node)
    if (what === 'ColumnDef') return listOf(own, 'constraints').map(one => openNode(one)[1])
    return what === 'Constraint' ? [own] : []
  })
}

function nameOf(kind: string, fields: Fields): MadeName[] {
  const plain = (what: string, name: string) =>
    name === '' ? [] : [{ kind: what, name: name.slice(name.lastIndexOf('.') + 1), object: objectName(name) }]
  switch (kind) {
    case 'CreateStmt':
      return fields['partbound'] === undefined ? plain('table', relationOf(fieldsOf(fields, 'relation'))) : []
    case 'CreateTableAsStmt':
      return plain(
        textOf(fields, 'objtype') === 'OBJECT_MATVIEW' ? 'materialized view' : 'table',
        relationOf(fieldsOf(fieldsOf(fields, 'into'), 'rel')),
      )
    case 'ViewStmt':
      return plain('view', relationOf(fieldsOf(fields, 'view')))
    case 'IndexStmt':
      return plain('index', textOf(fields, 'idxname'))
    case 'CreateSeqStmt':
      return plain('sequence', relationOf(fieldsOf(fields, 'sequence')))
    case 'CreateFunctionStmt':
      return plain('function', dottedName(fields['funcname']))
    case 'CreateEnumStmt':
      return plain('enum', dottedName(fields['typeName']))
    case 'CreateDomainStmt':
      return plain('domain', dottedName(fields['domainname']))
    case 'CompositeTypeStmt':
      return plain('type', relationOf(fieldsOf(fields, 'typevar')))
    case 'CreateSchemaStmt':
      return textOf(fields, 'schemaname') === ''
        ? []
        : [{ kind: 'schema', name: textOf(fields, 'schemaname'), object: textOf(fields, 'schemaname') }]
    case 'CreateTrigStmt':
      return plain('trigger', textOf(fields, 'trigname'))
    case 'CreatePolicyStmt':
      return plain('policy', textOf(fields, 'policy_name'))
    case 'RenameStmt':
      return [
        { kind: 'name', name: textOf(fields, 'newname'), object: objectName(relationOf(fieldsOf(fields, 'relation'))) },
      ]
    default:
      return []
  }
}

function relationOf(fields: Fields): string {
  return [textOf(fields, 'schemaname'), textOf(fields, 'relname')].filter(Boolean).join('.')
}
