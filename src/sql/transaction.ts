/** How a statement stands to transactions: what opens and closes one, and what PostgreSQL refuses inside one. */
import {
  dottedName,
  type Fields,
  fieldsOf,
  isOptionOn,
  listOf,
  openNode,
  optionsOf,
  quotedName,
  quotedRelation,
  textOf,
} from './tree.ts'

/** Null for a statement that neither opens nor closes a transaction; savepoints are ordinary statements. */
export type TransactionControl = 'begin' | 'commit' | 'rollback' | null

export function transactionControl(tree: unknown): TransactionControl {
  const [kind, fields] = openNode(tree)
  return kind === 'TransactionStmt' ? (controls[textOf(fields, 'kind')] ?? null) : null
}

/** True for a `begin` without options or a `commit` without a chain, so that another transaction can stand in for it. */
export function isPlainControl(tree: unknown): boolean {
  const [, fields] = openNode(tree)
  return listOf(fields, 'options').length === 0 && fields['chain'] !== true
}

/**
 * True for what PostgreSQL refuses in a transaction block, with "cannot run inside a transaction block".
 * Source: the callers of PreventInTransactionBlock in PostgreSQL 18 (utility.c, indexcmds.c, tablecmds.c, subscriptioncmds.c).
 */
export function isBare(tree: unknown): boolean {
  const [kind, fields] = openNode(tree)
  return bare[kind]?.(fields) ?? false
}

/** An index that is built or dropped concurrently. */
export interface ConcurrentIndex {
  readonly action: 'create' | 'drop' | 'reindex'
  /** Name of the index to be made, without its schema, which is the table's; null where the server chooses it. */
  readonly name: string | null
  /** The index that is named, quoted and as far qualified as written; null for one that is made and for a whole table. */
  readonly index: string | null
  /** The table, quoted and as far qualified as written; null where only an index is named. */
  readonly table: string | null
}

export function concurrentIndex(tree: unknown): ConcurrentIndex | null {
  const [kind, fields] = openNode(tree)
  const relation = () => quotedRelation(fieldsOf(fields, 'relation')) || null
  if (kind === 'IndexStmt' && fields['concurrent'] === true) {
    return { action: 'create', name: textOf(fields, 'idxname') || null, index: null, table: relation() }
  }
  if (kind === 'DropStmt' && fields['concurrent'] === true) {
    const [, list] = openNode(listOf(fields, 'objects')[0])
    return { action: 'drop', name: null, index: quotedName(listOf(list, 'items').map(dottedName)), table: null }
  }
  if (kind === 'ReindexStmt' && isOptionOn(fields, 'params', 'concurrently')) {
    const one = textOf(fields, 'kind') === 'REINDEX_OBJECT_INDEX'
    return { action: 'reindex', name: null, index: one ? relation() : null, table: one ? null : relation() }
  }
  return null
}

const controls: Readonly<Record<string, TransactionControl>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_PREPARE: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
}

const always = () => true

const bare: Readonly<Record<string, (fields: Fields) => boolean>> = {
  AlterDatabaseStmt: fields => optionsOf(fields, 'options').has('tablespace'),
  AlterSystemStmt: always,
  AlterSubscriptionStmt: fields => /REFRESH|PUBLICATION|OPTIONS/.test(textOf(fields, 'kind')),
  AlterTableStmt: fields =>
    listOf(fields, 'cmds').some(node => {
      const [, command] = openNode(node)
      return (
        textOf(command, 'subtype') === 'AT_DetachPartition' &&
        fieldsOf(fieldsOf(command, 'def'), 'PartitionCmd')['concurrent'] === true
      )
    }),
  ClusterStmt: fields => fields['relation'] === undefined,
  CreateSubscriptionStmt: fields => !isOff(fields, 'create_slot') && !isOff(fields, 'connect'),
  CreateTableSpaceStmt: always,
  CreatedbStmt: always,
  DiscardStmt: fields => textOf(fields, 'target') === 'DISCARD_ALL',
  DropStmt: fields => fields['concurrent'] === true,
  DropSubscriptionStmt: always,
  DropTableSpaceStmt: always,
  DropdbStmt: always,
  IndexStmt: fields => fields['concurrent'] === true,
  ReindexStmt: fields =>
    isOptionOn(fields, 'params', 'concurrently') || /SCHEMA|SYSTEM|DATABASE/.test(textOf(fields, 'kind')),
  VacuumStmt: fields => fields['is_vacuumcmd'] === true,
}

function isOff(fields: Fields, option: string): boolean {
  const given = optionsOf(fields, 'options').get(option)
  if (!given) return false
  const [kind, value] = openNode(given['arg'])
  return kind === 'Boolean' ? value['boolval'] !== true : /^(false|off|0|no)$/i.test(textOf(value, 'sval'))
}
