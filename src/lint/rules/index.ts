/** Every rule, by its name. Generated from the folder by `npm run generate`. */
import type { Rule } from '../rule.ts'
import { rule as compatDefaultChange } from './compat-default-change.ts'
import { rule as compatEnumValueInTransaction } from './compat-enum-value-in-transaction.ts'
import { rule as compatNotNullWithoutDefault } from './compat-not-null-without-default.ts'
import { rule as compatPublishedContract } from './compat-published-contract.ts'
import { rule as compatRenameColumn } from './compat-rename-column.ts'
import { rule as compatRenameEnumValue } from './compat-rename-enum-value.ts'
import { rule as compatRenameSchema } from './compat-rename-schema.ts'
import { rule as compatRenameTable } from './compat-rename-table.ts'
import { rule as compatRoutineChange } from './compat-routine-change.ts'
import { rule as compatUniqueOnData } from './compat-unique-on-data.ts'
import { rule as compatViewChange } from './compat-view-change.ts'
import { rule as constraintAlwaysTrue } from './constraint-always-true.ts'
import { rule as constraintCascade } from './constraint-cascade.ts'
import { rule as constraintDuplicate } from './constraint-duplicate.ts'
import { rule as constraintNotValidated } from './constraint-not-validated.ts'
import { rule as constraintNullableUnique } from './constraint-nullable-unique.ts'
import { rule as constraintOnDelete } from './constraint-on-delete.ts'
import { rule as constraintSoftDeleteUnique } from './constraint-soft-delete-unique.ts'
import { rule as dataCascade } from './data-cascade.ts'
import { rule as dataDeleteAll } from './data-delete-all.ts'
import { rule as dataDisableRowSecurity } from './data-disable-row-security.ts'
import { rule as dataDisableTrigger } from './data-disable-trigger.ts'
import { rule as dataDropColumn } from './data-drop-column.ts'
import { rule as dataDropConstraint } from './data-drop-constraint.ts'
import { rule as dataDropDatabase } from './data-drop-database.ts'
import { rule as dataDropPolicy } from './data-drop-policy.ts'
import { rule as dataDropPrimaryKey } from './data-drop-primary-key.ts'
import { rule as dataDropSchema } from './data-drop-schema.ts'
import { rule as dataDropTable } from './data-drop-table.ts'
import { rule as dataEnumSwap } from './data-enum-swap.ts'
import { rule as dataNarrowType } from './data-narrow-type.ts'
import { rule as dataTruncate } from './data-truncate.ts'
import { rule as dataUnlogged } from './data-unlogged.ts'
import { rule as dataUpdateAll } from './data-update-all.ts'
import { rule as governanceAuditCopy } from './governance-audit-copy.ts'
import { rule as governanceAuditWritable } from './governance-audit-writable.ts'
import { rule as governanceBlindIndex } from './governance-blind-index.ts'
import { rule as governanceComment } from './governance-comment.ts'
import { rule as governanceCopy } from './governance-copy.ts'
import { rule as governanceFreeText } from './governance-free-text.ts'
import { rule as governancePlaintextTwin } from './governance-plaintext-twin.ts'
import { rule as governanceProtectionType } from './governance-protection-type.ts'
import { rule as governancePurge } from './governance-purge.ts'
import { rule as governanceRetention } from './governance-retention.ts'
import { rule as governanceUnclassified } from './governance-unclassified.ts'
import { rule as governanceUnprotected } from './governance-unprotected.ts'
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
import { rule as migrationDownEmpty } from './migration-down-empty.ts'
import { rule as migrationDownIncomplete } from './migration-down-incomplete.ts'
import { rule as migrationDownMissing } from './migration-down-missing.ts'
import { rule as migrationIfNotExists } from './migration-if-not-exists.ts'
import { rule as migrationMixedBare } from './migration-mixed-bare.ts'
import { rule as migrationMixedDdlDml } from './migration-mixed-ddl-dml.ts'
import { rule as migrationOwnTransaction } from './migration-own-transaction.ts'
import { rule as migrationSessionSetting } from './migration-session-setting.ts'
import { rule as migrationSetLocalLost } from './migration-set-local-lost.ts'
import { rule as migrationUnqualifiedName } from './migration-unqualified-name.ts'
import { rule as nameFile } from './name-file.ts'
import { rule as nameLength } from './name-length.ts'
import { rule as namePattern } from './name-pattern.ts'
import { rule as nameReserved } from './name-reserved.ts'
import { rule as nameSnakeCase } from './name-snake-case.ts'
import { rule as nameUnnamedConstraint } from './name-unnamed-constraint.ts'
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
import { rule as securityDefinerPath } from './security-definer-path.ts'
import { rule as securityDefinerPublic } from './security-definer-public.ts'
import { rule as securityDynamicSql } from './security-dynamic-sql.ts'
import { rule as securityExtension } from './security-extension.ts'
import { rule as securityGrantAll } from './security-grant-all.ts'
import { rule as securityGrantPublic } from './security-grant-public.ts'
import { rule as securityInsertedSecret } from './security-inserted-secret.ts'
import { rule as securityLanguage } from './security-language.ts'
import { rule as securityLeakproof } from './security-leakproof.ts'
import { rule as securityLiteralPassword } from './security-literal-password.ts'
import { rule as securityPlaintextPassword } from './security-plaintext-password.ts'
import { rule as securityPlaintextSecret } from './security-plaintext-secret.ts'
import { rule as securityRoleAttributes } from './security-role-attributes.ts'
import { rule as securitySecretLiteral } from './security-secret-literal.ts'
import { rule as securityServerProgram } from './security-server-program.ts'
import { rule as securityTriggerBypass } from './security-trigger-bypass.ts'
import { rule as tenantColumnMissing } from './tenant-column-missing.ts'
import { rule as tenantColumnNullable } from './tenant-column-nullable.ts'
import { rule as tenantForeignKey } from './tenant-foreign-key.ts'
import { rule as tenantMaterializedView } from './tenant-materialized-view.ts'
import { rule as tenantPolicyCheck } from './tenant-policy-check.ts'
import { rule as tenantPolicyColumn } from './tenant-policy-column.ts'
import { rule as tenantPolicyMissing } from './tenant-policy-missing.ts'
import { rule as tenantPolicyTrue } from './tenant-policy-true.ts'
import { rule as tenantPolicyWideWrite } from './tenant-policy-wide-write.ts'
import { rule as tenantRollup } from './tenant-rollup.ts'
import { rule as tenantRowSecurity } from './tenant-row-security.ts'
import { rule as tenantRowSecurityForced } from './tenant-row-security-forced.ts'
import { rule as tenantRowSecurityHabit } from './tenant-row-security-habit.ts'
import { rule as tenantUnique } from './tenant-unique.ts'
import { rule as tenantViewInvoker } from './tenant-view-invoker.ts'
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
  compatDefaultChange,
  compatEnumValueInTransaction,
  compatNotNullWithoutDefault,
  compatPublishedContract,
  compatRenameColumn,
  compatRenameEnumValue,
  compatRenameSchema,
  compatRenameTable,
  compatRoutineChange,
  compatUniqueOnData,
  compatViewChange,
  constraintAlwaysTrue,
  constraintCascade,
  constraintDuplicate,
  constraintNotValidated,
  constraintNullableUnique,
  constraintOnDelete,
  constraintSoftDeleteUnique,
  dataCascade,
  dataDeleteAll,
  dataDisableRowSecurity,
  dataDisableTrigger,
  dataDropColumn,
  dataDropConstraint,
  dataDropDatabase,
  dataDropPolicy,
  dataDropPrimaryKey,
  dataDropSchema,
  dataDropTable,
  dataEnumSwap,
  dataNarrowType,
  dataTruncate,
  dataUnlogged,
  dataUpdateAll,
  governanceAuditCopy,
  governanceAuditWritable,
  governanceBlindIndex,
  governanceComment,
  governanceCopy,
  governanceFreeText,
  governancePlaintextTwin,
  governanceProtectionType,
  governancePurge,
  governanceRetention,
  governanceUnclassified,
  governanceUnprotected,
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
  migrationDownEmpty,
  migrationDownIncomplete,
  migrationDownMissing,
  migrationIfNotExists,
  migrationMixedBare,
  migrationMixedDdlDml,
  migrationOwnTransaction,
  migrationSessionSetting,
  migrationSetLocalLost,
  migrationUnqualifiedName,
  nameFile,
  nameLength,
  namePattern,
  nameReserved,
  nameSnakeCase,
  nameUnnamedConstraint,
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
  securityDefinerPath,
  securityDefinerPublic,
  securityDynamicSql,
  securityExtension,
  securityGrantAll,
  securityGrantPublic,
  securityInsertedSecret,
  securityLanguage,
  securityLeakproof,
  securityLiteralPassword,
  securityPlaintextPassword,
  securityPlaintextSecret,
  securityRoleAttributes,
  securitySecretLiteral,
  securityServerProgram,
  securityTriggerBypass,
  tenantColumnMissing,
  tenantColumnNullable,
  tenantForeignKey,
  tenantMaterializedView,
  tenantPolicyCheck,
  tenantPolicyColumn,
  tenantPolicyMissing,
  tenantPolicyTrue,
  tenantPolicyWideWrite,
  tenantRollup,
  tenantRowSecurity,
  tenantRowSecurityForced,
  tenantRowSecurityHabit,
  tenantUnique,
  tenantViewInvoker,
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
