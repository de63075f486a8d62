/** What an `alter table` is made of, so that rules read commands, columns and constraints instead of the parser's tree. */
import { dottedName, type Fields, fieldsOf, listOf, openNode, relationName, textOf } from '../sql/tree.ts'
import { typeText } from '../sql/type-text.ts'
import { once } from './once.ts'
import type { StatementView } from './rule.ts'

/** One command of an `alter table`. */
export interface Alteration {
  /** The parser's word without its prefix, such as `AddColumn`, `SetNotNull` or `DropConstraint`. */
  readonly kind: string
  /** The column or constraint that it is about; empty for none. */
  readonly name: string
  /** What it adds or changes, opened: a `ColumnDef`, a `Constraint`, a `PartitionCmd`. */
  readonly definition: Fields
  readonly cascade: boolean
}

/** Empty for anything but an `alter table`. */
export function alterations(view: Asked): readonly Alteration[] {
  return view.statement.kind === 'AlterTableStmt' ? alterationsOf(view) : none
}

type Asked = Pick<StatementView, 'statement' | 'fields' | 'known'>

const none: readonly never[] = []

const alterationsOf = once(readAlterations)

/**
 * What tells rules of an `alter table` whether they are concerned, as the parser calls it: its commands, such as `AddColumn`, and of what they add
 * the nodes and the kinds of constraints, such as `ColumnDef` and `CONSTR_CHECK`.
 */
export function marksOf(fields: Fields): ReadonlySet<string> {
  const marks = new Set<string>()
  for (const node of listOf(fields, 'cmds')) {
    const [, command] = openNode(node)
    const [made, definition] = openNode(command['def'])
    marks.add(textOf(command, 'subtype').replace('AT_', '')).add(made).add(textOf(definition, 'contype'))
    for (const constraint of constraintsIn(definition)) marks.add(textOf(constraint, 'contype'))
  }
  return marks
}

function readAlterations({ fields }: Asked): readonly Alteration[] {
  if (!/_(FOREIGN_)?TABLE$|_MATVIEW$/.test(textOf(fields, 'objtype'))) return []
  return listOf(fields, 'cmds').map(node => {
    const [, command] = openNode(node)
    const [, definition] = openNode(command['def'])
    return {
      kind: textOf(command, 'subtype').replace(/^AT_/, ''),
      name: textOf(command, 'name') || textOf(definition, 'colname') || textOf(definition, 'conname'),
      definition,
      cascade: textOf(command, 'behavior') === 'DROP_CASCADE',
    }
  })
}

/** The relation that a statement is about, as written; empty for none. */
export function targetOf({ fields }: Pick<StatementView, 'fields'>): string {
  return relationName(fieldsOf(fields, 'relation')) || relationName(fieldsOf(fields, 'table'))
}

export interface ColumnAdded {
  readonly name: string
  /** As {@link typeText} spells it, such as `int4`. */
  readonly type: string
  /** The default's expression; null without one. */
  readonly defaultNode: unknown
  readonly isNotNull: boolean
  readonly isIdentity: boolean
  /** `stored`, `virtual` or null. */
  readonly generated: 'stored' | 'virtual' | null
}

export function columnsAdded(view: Asked): readonly ColumnAdded[] {
  return view.statement.kind === 'AlterTableStmt' ? columnsOf(view) : none
}

const columnsOf = once((view: Asked) =>
  alterationsOf(view).flatMap(({ kind, name, definition }): ColumnAdded[] => {
    if (kind !== 'AddColumn') return []
    const constraints = constraintsIn(definition)
    const of = (type: string) => constraints.find(one => one['contype'] === type)
    const generated = of('CONSTR_GENERATED')
    return [
      {
        name,
        type: typeText(definition['typeName']),
        defaultNode: of('CONSTR_DEFAULT')?.['raw_expr'] ?? null,
        isNotNull: Boolean(of('CONSTR_NOTNULL') ?? of('CONSTR_PRIMARY')),
        isIdentity: Boolean(of('CONSTR_IDENTITY')),
        generated: generated ? (generated['generated_kind'] === 'v' ? 'virtual' : 'stored') : null,
      },
    ]
  }),
)

export type ConstraintType = 'check' | 'foreign key' | 'unique' | 'primary key' | 'exclusion' | 'not null'

export interface ConstraintAdded {
  readonly type: ConstraintType
  /** Empty when the server chooses it. */
  readonly name: string
  readonly columns: readonly string[]
  /** It stands behind a column that the same statement adds. */
  readonly inline: boolean
  /** `not valid`: rows that are there are not looked at. */
  readonly notValid: boolean
  /** The index that it takes over; empty when it builds its own. */
  readonly usingIndex: string
  /** The table that a foreign key points to, as written; else empty. */
  readonly references: string
}

/** Constraints that an `alter table` adds, with those of its new columns. Those that are `not enforced` are left out. */
export function constraintsAdded(view: Asked): readonly ConstraintAdded[] {
  return view.statement.kind === 'AlterTableStmt' ? constraintsOf(view) : none
}

const constraintsOf = once((view: Asked) =>
  alterationsOf(view).flatMap(({ kind, name, definition }) => {
    if (kind === 'AddConstraint') return describe(definition, null)
    if (kind === 'AddColumn') return constraintsIn(definition).flatMap(own => describe(own, name))
    return []
  }),
)

/** A constraint's name, or words for one that has none. */
export function constraintWords({ name, type, columns }: ConstraintAdded): string {
  if (name) return name
  return columns.length > 0 ? `the ${type} of ${columns.join(', ')}` : `the ${type} constraint`
}

const types: Readonly<Record<string, ConstraintType>> = {
  CONSTR_CHECK: 'check',
  CONSTR_FOREIGN: 'foreign key',
  CONSTR_UNIQUE: 'unique',
  CONSTR_PRIMARY: 'primary key',
  CONSTR_EXCLUSION: 'exclusion',
  CONSTR_NOTNULL: 'not null',
}

function describe(fields: Fields, column: string | null): ConstraintAdded[] {
  const type = types[textOf(fields, 'contype')]
  const enforceable = type === 'check' || type === 'foreign key'
  if (!type || (enforceable && fields['is_enforced'] !== true)) return []
  const keys = [...listOf(fields, 'keys'), ...listOf(fields, 'fk_attrs')].map(dottedName)
  return [
    {
      type,
      name: textOf(fields, 'conname'),
      columns: column === null ? keys : [column],
      inline: column !== null,
      notValid: fields['skip_validation'] === true,
      usingIndex: textOf(fields, 'indexname'),
      references: relationName(fieldsOf(fields, 'pktable')),
    },
  ]
}

function constraintsIn(definition: Fields): readonly Fields[] {
  return listOf(definition, 'constraints').map(node => openNode(node)[1])
}
