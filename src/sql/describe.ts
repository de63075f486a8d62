/** What a parsed statement does, in a few words without literals, and which tables it changes. */
import { dottedName, type Fields, fieldsOf, listOf, openNode, relationName, textOf, walk } from './tree.ts'

/** Such as `create table platform.users` or `alter table platform.users add column email`. */
export function summarize(tree: unknown): string {
  const [kind, fields] = openNode(tree)
  const words = phrases[kind]?.(fields) ?? spelled(kind.replace(/Stmt$/, ''))
  return words.replace(/\s+/g, ' ').trim()
}

/** Names of the tables that the statement makes, alters, drops or writes, as written, sorted. */
export function tablesTouched(tree: unknown): string[] {
  const [kind, fields] = openNode(tree)
  const names = new Set<string>()
  for (const key of ['relation', 'table']) names.add(relationName(fieldsOf(fields, key)))
  for (const node of [...listOf(fields, 'relations'), ...listOf(fields, 'rels')]) {
    const [inner, relation] = openNode(node)
    names.add(inner === 'VacuumRelation' ? relationName(fieldsOf(relation, 'relation')) : relationName(relation))
  }
  if (kind === 'DropStmt') for (const name of droppedTables(fields)) names.add(name)
  if (kind === 'CreateTableAsStmt') names.add(relationName(fieldsOf(fieldsOf(fields, 'into'), 'rel')))
  if (kind === 'RenameStmt' && !textOf(fields, 'renameType').match(/TABLE|COLUMN|CONSTRAINT|TRIGGER|POLICY|RULE/))
    names.clear()
  if (kind === 'AlterTableStmt' && textOf(fields, 'objtype') !== 'OBJECT_TABLE') names.clear()
  walk(tree, (inner, written) => {
    if (writing.has(inner)) names.add(relationName(fieldsOf(written, 'relation')))
  })
  names.delete('')
  return [...names].sort()
}

const writing: ReadonlySet<string> = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])

function droppedTables(fields: Fields): string[] {
  const type = textOf(fields, 'removeType')
  const names = listOf(fields, 'objects').map(dottedName)
  if (type === 'OBJECT_TABLE' || type === 'OBJECT_FOREIGN_TABLE') return names
  if (/TRIGGER|POLICY|RULE/.test(type)) return names.map(name => name.replace(/\.?[^.]*$/, ''))
  return []
}

const relation = (fields: Fields, key = 'relation') => relationName(fieldsOf(fields, key))
const names = (fields: Fields, key: string) => listOf(fields, key).map(dottedName).join(', ')

const phrases: Readonly<Record<string, (fields: Fields) => string>> = {
  AlterEnumStmt: f =>
    `alter type ${names(f, 'typeName').replaceAll(', ', '.')} ${f['oldVal'] === undefined ? 'add' : 'rename'} value`,
  AlterTableStmt: f => `alter ${objectType(textOf(f, 'objtype'))} ${relation(f)} ${alterations(f)}`,
  AlterPolicyStmt: f => `alter policy ${textOf(f, 'policy_name')} on ${relation(f, 'table')}`,
  AlterSystemStmt: () => 'alter system',
  CallStmt: f => `call ${listOf(fieldsOf(f, 'funccall'), 'funcname').map(dottedName).join('.')}`,
  CommentStmt: f => `comment on ${objectType(textOf(f, 'objtype'))} ${dottedName(f['object'])}`,
  CompositeTypeStmt: f => `create type ${relation(f, 'typevar')}`,
  CopyStmt: f => `copy ${relation(f)} ${f['is_from'] === true ? 'from' : 'to'}`,
  CreateDomainStmt: f => `create domain ${listOf(f, 'domainname').map(dottedName).join('.')}`,
  CreateEnumStmt: f => `create type ${listOf(f, 'typeName').map(dottedName).join('.')}`,
  CreateExtensionStmt: f => `create extension ${textOf(f, 'extname')}`,
  CreateFunctionStmt: f =>
    `create ${f['is_procedure'] === true ? 'procedure' : 'function'} ${listOf(f, 'funcname').map(dottedName).join('.')}`,
  CreatePolicyStmt: f => `create policy ${textOf(f, 'policy_name')} on ${relation(f, 'table')}`,
  CreateRoleStmt: f => `create role ${textOf(f, 'role')}`,
  CreateSchemaStmt: f => `create schema ${textOf(f, 'schemaname')}`,
  CreateSeqStmt: f => `create sequence ${relation(f, 'sequence')}`,
  CreateStmt: f =>
    `create table ${relation(f)}${f['partbound'] === undefined ? '' : ` partition of ${names(f, 'inhRelations')}`}`,
  CreateTableAsStmt: f =>
    `create ${objectType(textOf(f, 'objtype'))} ${relationName(fieldsOf(fieldsOf(f, 'into'), 'rel'))} as select`,
  CreateTrigStmt: f => `create trigger ${textOf(f, 'trigname')} on ${relation(f)}`,
  CreatedbStmt: f => `create database ${textOf(f, 'dbname')}`,
  DeleteStmt: f => `delete from ${relation(f)}`,
  DoStmt: () => 'do',
  DropRoleStmt: f =>
    `drop role ${listOf(f, 'roles')
      .map(role => textOf(openNode(role)[1], 'rolename'))
      .join(', ')}`,
  DropStmt: f =>
    `drop ${objectType(textOf(f, 'removeType'))} ${f['concurrent'] === true ? 'concurrently ' : ''}${names(f, 'objects')}`,
  DropdbStmt: f => `drop database ${textOf(f, 'dbname')}`,
  GrantStmt: f =>
    `${f['is_grant'] === true ? 'grant' : 'revoke'} on ${objectType(textOf(f, 'objtype'))} ${names(f, 'objects')}`,
  IndexStmt: f =>
    `create ${f['unique'] === true ? 'unique ' : ''}index ${f['concurrent'] === true ? 'concurrently ' : ''}${textOf(f, 'idxname')} on ${relation(f)}`,
  InsertStmt: f => `insert into ${relation(f)}`,
  MergeStmt: f => `merge into ${relation(f)}`,
  RefreshMatViewStmt: f => `refresh materialized view ${f['concurrent'] === true ? 'concurrently ' : ''}${relation(f)}`,
  ReindexStmt: f =>
    `reindex ${spelled(textOf(f, 'kind').replace('REINDEX_OBJECT_', ''))} ${relation(f)}${textOf(f, 'name')}`,
  RenameStmt: f =>
    `rename ${objectType(textOf(f, 'renameType'))} ${relation(f)} ${textOf(f, 'subname')} to ${textOf(f, 'newname')}`,
  SelectStmt: () => 'select',
  TransactionStmt: f => spelled(textOf(f, 'kind').replace('TRANS_STMT_', '')),
  TruncateStmt: f => `truncate ${names(f, 'relations')}`,
  UpdateStmt: f => `update ${relation(f)}`,
  VacuumStmt: f =>
    `${f['is_vacuumcmd'] === true ? 'vacuum' : 'analyze'} ${tablesTouched({ VacuumStmt: f }).join(', ')}`,
  VariableSetStmt: f => `set ${textOf(f, 'name')}`,
  ViewStmt: f => `create view ${relation(f, 'view')}`,
}

function alterations(fields: Fields): string {
  return listOf(fields, 'cmds')
    .map(node => {
      const [, command] = openNode(node)
      const object =
        textOf(command, 'name') ||
        textOf(fieldsOf(fieldsOf(command, 'def'), 'ColumnDef'), 'colname') ||
        textOf(fieldsOf(fieldsOf(command, 'def'), 'Constraint'), 'conname')
      return `${spelled(textOf(command, 'subtype').replace(/^AT_/, ''))} ${object}`.trim()
    })
    .join(', ')
}

/** `OBJECT_TABLE` → `table`, `OBJECT_MATVIEW` → `materialized view`. */
function objectType(name: string): string {
  if (name === 'OBJECT_MATVIEW') return 'materialized view'
  if (name === 'OBJECT_TABCONSTRAINT') return 'constraint'
  return spelled(name.replace('OBJECT_', ''))
}

/** `AddColumn` and `SAVE_POINT` as lower-case words. */
function spelled(name: string): string {
  const apart = /[a-z]/.test(name) ? name.replace(/([a-z])([A-Z])/g, '$1 $2') : name
  return apart.replaceAll('_', ' ').toLowerCase()
}
