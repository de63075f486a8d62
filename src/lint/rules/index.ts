/** Every rule, by its name. Generated from the folder by `npm run generate`. */
import type { Rule } from '../rule.ts'
import { rule as constraintAlwaysTrue } from './constraint-always-true.ts'
import { rule as constraintCascade } from './constraint-cascade.ts'
import { rule as constraintDuplicate } from './constraint-duplicate.ts'
import { rule as constraintNotValidated } from './constraint-not-validated.ts'
import { rule as constraintNullableUnique } from './constraint-nullable-unique.ts'
import { rule as constraintOnDelete } from './constraint-on-delete.ts'
import { rule as constraintSoftDeleteUnique } from './constraint-soft-delete-unique.ts'
import { rule as indexBoolean } from './index-boolean.ts'
import { rule as indexDuplicate } from './index-duplicate.ts'
import { rule as indexForeignKey } from './index-foreign-key.ts'
import { rule as indexInvalid } from './index-invalid.ts'
import { rule as indexPolicyColumn } from './index-policy-column.ts'
import { rule as indexPrimaryKey } from './index-primary-key.ts'
import { rule as indexRedundant } from './index-redundant.ts'
import { rule as indexTenantLeading } from './index-tenant-leading.ts'
import { rule as indexWide } from './index-wide.ts'
import { rule as lockAttachPartition } from './lock-attach-partition.ts'
import { rule as lockCheckValidation } from './lock-check-validation.ts'
import { rule as lockConcurrentlyInTransaction } from './lock-concurrently-in-transaction.ts'
import { rule as lockDefaultPartitionScan } from './lock-default-partition-scan.ts'
import { rule as lockDetachNonconcurrent } from './lock-detach-nonconcurrent.ts'
import { rule as lockDomainConstraint } from './lock-domain-constraint.ts'
import { rule as lockDropIndexNonconcurrent } from './lock-drop-index-nonconcurrent.ts'
import { rule as lockExclusionConstraint } from './lock-exclusion-constraint.ts'
import { rule as lockExplicit } from './lock-explicit.ts'
import { rule as lockForeignKeyValidation } from './lock-foreign-key-validation.ts'
import { rule as lockHeldWhileWorking } from './lock-held-while-working.ts'
import { rule as lockHidden } from './lock-hidden.ts'
import { rule as lockHiddenWork } from './lock-hidden-work.ts'
import { rule as lockIndexNonconcurrent } from './lock-index-nonconcurrent.ts'
import { rule as lockMergeableAlters } from './lock-mergeable-alters.ts'
import { rule as lockPrimaryKeyNullable } from './lock-primary-key-nullable.ts'
import { rule as lockRefreshNonconcurrent } from './lock-refresh-nonconcurrent.ts'
import { rule as lockReindexNonconcurrent } from './lock-reindex-nonconcurrent.ts'
import { rule as lockSetNotNull } from './lock-set-not-null.ts'
import { rule as lockSeveralTables } from './lock-several-tables.ts'
import { rule as lockTimeoutDisabled } from './lock-timeout-disabled.ts'
import { rule as lockTimeoutMissing } from './lock-timeout-missing.ts'
import { rule as lockTrigger } from './lock-trigger.ts'
import { rule as lockUniqueConstraint } from './lock-unique-constraint.ts'
import { rule as lockVacuumFull } from './lock-vacuum-full.ts'
import { rule as lockValidateInTransaction } from './lock-validate-in-transaction.ts'
import { rule as partitionDetached } from './partition-detached.ts'
import { rule as partitionDirectWrite } from './partition-direct-write.ts'
import { rule as partitionGap } from './partition-gap.ts'
import { rule as partitionKeyInUnique } from './partition-key-in-unique.ts'
import { rule as partitionNoneAhead } from './partition-none-ahead.ts'
import { rule as partitionRetentionGranularity } from './partition-retention-granularity.ts'
import { rule as partitionRetentionKey } from './partition-retention-key.ts'
import { rule as partitionRowSecurity } from './partition-row-security.ts'
import { rule as rewriteColumnType } from './rewrite-column-type.ts'
import { rule as rewriteGeneratedColumn } from './rewrite-generated-column.ts'
import { rule as rewriteIdentityColumn } from './rewrite-identity-column.ts'
import { rule as rewriteStorage } from './rewrite-storage.ts'
import { rule as rewriteTable } from './rewrite-table.ts'
import { rule as rewriteTimestampZone } from './rewrite-timestamp-zone.ts'
import { rule as rewriteVolatileDefault } from './rewrite-volatile-default.ts'
import { rule as typeChar } from './type-char.ts'
import { rule as typeFloatMoney } from './type-float-money.ts'
import { rule as typeForeignKey } from './type-foreign-key.ts'
import { rule as typeJson } from './type-json.ts'
import { rule as typeMoney } from './type-money.ts'
import { rule as typeNullableBoolean } from './type-nullable-boolean.ts'
import { rule as typeOddKey } from './type-odd-key.ts'
import { rule as typeSerial } from './type-serial.ts'
import { rule as typeSmallKey } from './type-small-key.ts'
import { rule as typeSystem } from './type-system.ts'
import { rule as typeTimestamp } from './type-timestamp.ts'
import { rule as typeTimetz } from './type-timetz.ts'
import { rule as typeVarchar } from './type-varchar.ts'
import { rule as typeXml } from './type-xml.ts'

export const rules: readonly Rule[] = [
  constraintAlwaysTrue,
  constraintCascade,
  constraintDuplicate,
  constraintNotValidated,
  constraintNullableUnique,
  constraintOnDelete,
  constraintSoftDeleteUnique,
  indexBoolean,
  indexDuplicate,
  indexForeignKey,
  indexInvalid,
  indexPolicyColumn,
  indexPrimaryKey,
  indexRedundant,
  indexTenantLeading,
  indexWide,
  lockAttachPartition,
  lockCheckValidation,
  lockConcurrentlyInTransaction,
  lockDefaultPartitionScan,
  lockDetachNonconcurrent,
  lockDomainConstraint,
  lockDropIndexNonconcurrent,
  lockExclusionConstraint,
  lockExplicit,
  lockForeignKeyValidation,
  lockHeldWhileWorking,
  lockHidden,
  lockHiddenWork,
  lockIndexNonconcurrent,
  lockMergeableAlters,
  lockPrimaryKeyNullable,
  lockRefreshNonconcurrent,
  lockReindexNonconcurrent,
  lockSetNotNull,
  lockSeveralTables,
  lockTimeoutDisabled,
  lockTimeoutMissing,
  lockTrigger,
  lockUniqueConstraint,
  lockVacuumFull,
  lockValidateInTransaction,
  partitionDetached,
  partitionDirectWrite,
  partitionGap,
  partitionKeyInUnique,
  partitionNoneAhead,
  partitionRetentionGranularity,
  partitionRetentionKey,
  partitionRowSecurity,
  rewriteColumnType,
  rewriteGeneratedColumn,
  rewriteIdentityColumn,
  rewriteStorage,
  rewriteTable,
  rewriteTimestampZone,
  rewriteVolatileDefault,
  typeChar,
  typeFloatMoney,
  typeForeignKey,
  typeJson,
  typeMoney,
  typeNullableBoolean,
  typeOddKey,
  typeSerial,
  typeSmallKey,
  typeSystem,
  typeTimestamp,
  typeTimetz,
  typeVarchar,
  typeXml,
]
