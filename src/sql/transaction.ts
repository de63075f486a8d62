/** How a statement stands to transactions: what opens and closes one, and what PostgreSQL refuses inside one. */
import { dottedName, type Fields, fieldsOf, listOf, openNode, optionsOf, relationName, textOf } from './tree.ts'

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

/** An index that is built or dropped concurrently, named as the statement names it. */
export interface ConcurrentIndex {
  readonly action: 'create' | 'drop' | 'reindex'
  readonly schema: string | null
  /** Null when the server chooses the name, or when a whole table is reindexed. */
  readonly name: string | null
  /** Qualified as written; null where only the index is named. */
  readonly table: string | null
  readonly ifNotExists: boolean
}

export function concurrentIndex(tree: unknown): ConcurrentIndex | null {
  const [kind, fields] = openNode(tree)
  const relation = fieldsOf(fields, 'relation')
  if (kind === 'IndexStmt' && fields['concurrent'] === true) {
    return {
      action: 'create',
      schema: textOf(relation, 'schemaname') || null,
      name: textOf(fields, 'idxname') || null,
      table: relationName(relation),
      ifNotExists: fields['if_not_exists'] === true,
    }
  }
  if (kind === 'DropStmt' && fields['concurrent'] === true) {
    const parts = dottedName(listOf(fields, 'objects')[0]).split('.')
    return {
      action: 'drop',
      schema: parts.length > 1 ? (parts[0] ?? null) : null,
      name: parts.at(-1) ?? null,
      table: null,
      ifNotExists: false,
    }
  }
  if (kind === 'ReindexStmt' && optionsOf(fields, 'params').has('concurrently')) {
    const one = textOf(fields, 'kind') === 'REINDEX_OBJECT_INDEX'
    return {
      action: 'reindex',
      schema: textOf(relation, 'schemaname') || null,
      name: one ? textOf(relation, 'relname') : null,
      table: one ? null : relationName(relation) || null,
      ifNotExists: false,
    }
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
    optionsOf(fields, 'params').has('concurrently') || /SCHEMA|SYSTEM|DATABASE/.test(textOf(fields, 'kind')),
  VacuumStmt: fields => fields['is_vacuumcmd'] === true,
}

function isOff(fields: Fields, option: string): boolean {
  const given = optionsOf(fields, 'options').get(option)
  if (!given) return false
  const [kind, value] = openNode(given['arg'])
  return kind === 'Boolean' ? value['boolval'] !== true : /^(false|off|0|no)$/i.test(textOf(value, 'sval'))
}
