/**
 * What a statement asks of PostgreSQL that older servers do not know. The parser reads the newest dialect, so a file can be right by the text and
 * still fail on the server that it is meant for.
 */
import { fieldsOf, type Fields, listOf, openNode, optionsOf, textOf, walk } from './tree.ts'

export interface Newer {
  /** As one would write it, such as `nulls not distinct`. */
  readonly what: string
  /** The major version that brought it. */
  readonly since: number
}

/** What of a statement's tree came after that version, each thing once, in the order of the text. */
export function newerThan(version: number, tree: unknown): Newer[] {
  const found = new Map<string, Newer>()
  walk(tree, (kind, fields) => {
    for (const { since, what, asks } of news.get(kind) ?? []) {
      if (since > version && !found.has(what) && asks(fields)) found.set(what, { what, since })
    }
  })
  return [...found.values()]
}

/** Functions that are called without a schema, or with that of the system, in lower case. */
export function plainCalls(tree: unknown): string[] {
  const names = new Set<string>()
  walk(tree, (kind, fields) => {
    // What is written as syntax, such as extract, is another function on another version.
    if (kind !== 'FuncCall' || fields['funcformat'] === 'COERCE_SQL_SYNTAX') return
    const path = listOf(fields, 'funcname').map(part => textOf(openNode(part)[1], 'sval'))
    if (path.length === 1 || path[0] === 'pg_catalog') names.add(path.at(-1) ?? '')
  })
  return [...names]
}

interface News extends Newer {
  readonly asks: (fields: Fields) => boolean
}

/** By the kind of node; source: the release notes of PostgreSQL 14 to 18. */
const news: ReadonlyMap<string, readonly News[]> = new Map(
  Object.entries({
    MergeStmt: [
      since(15, 'merge'),
      since(17, 'merge … returning', f => listOf(fieldsOf(f, 'returningClause'), 'exprs').length > 0),
    ],
    MergeWhenClause: [
      since(17, 'when not matched by source', f => f['matchKind'] === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE'),
    ],
    IndexStmt: [since(15, 'nulls not distinct', f => f['nulls_not_distinct'] === true)],
    Constraint: [
      since(15, 'nulls not distinct', f => f['nulls_not_distinct'] === true),
      since(15, 'on delete set … (columns)', f => listOf(f, 'fk_del_set_cols').length > 0),
      since(18, 'without overlaps', f => f['without_overlaps'] === true),
      since(18, 'period', f => f['fk_with_period'] === true),
      since(18, 'generated … virtual', f => f['contype'] === 'CONSTR_GENERATED' && f['generated_kind'] !== 's'),
      since(18, 'not enforced', f => f['contype'] === 'CONSTR_ATTR_NOT_ENFORCED'),
      since(18, 'not enforced', f => /_(CHECK|FOREIGN)$/.test(textOf(f, 'contype')) && f['is_enforced'] !== true),
    ],
    ViewStmt: [since(15, 'security_invoker', f => optionsOf(f, 'options').has('security_invoker'))],
    AlterTableCmd: [
      since(14, 'detach partition … concurrently', f => partition(f)['concurrent'] === true),
      since(14, 'set compression', f => f['subtype'] === 'AT_SetCompression'),
      since(15, 'security_invoker', f => f['subtype'] === 'AT_SetRelOptions' && setsInvoker(f)),
      since(15, 'set access method', f => f['subtype'] === 'AT_SetAccessMethod'),
      since(17, 'set expression', f => f['subtype'] === 'AT_SetExpression'),
      since(18, 'add constraint … not null', f => openNode(f['def'])[1]['contype'] === 'CONSTR_NOTNULL'),
    ],
    ATAlterConstraint: [
      since(18, 'alter constraint … enforced', f => f['alterEnforceability'] === true),
      since(18, 'alter constraint … inherit', f => f['alterInheritability'] === true),
    ],
    ColumnDef: [since(14, 'compression', f => textOf(f, 'compression') !== '')],
    CreateFunctionStmt: [
      since(14, 'a body without quotes', f => f['sql_body'] !== undefined),
      since(
        14,
        'out parameters of a procedure',
        f =>
          f['is_procedure'] === true &&
          listOf(f, 'parameters').some(one => openNode(one)[1]['mode'] === 'FUNC_PARAM_OUT'),
      ),
    ],
    CreateTrigStmt: [since(14, 'create or replace trigger', f => f['replace'] === true)],
    CreateStatsStmt: [
      since(14, 'statistics on an expression', f =>
        listOf(f, 'exprs').some(one => openNode(one)[1]['expr'] !== undefined),
      ),
    ],
    CommonTableExpr: [
      since(14, 'search', f => f['search_clause'] !== undefined),
      since(14, 'cycle', f => f['cycle_clause'] !== undefined),
    ],
    SelectStmt: [since(14, 'group by distinct', f => f['groupDistinct'] === true)],
    RangeSubselect: [since(16, 'a query in "from" without an alias', f => f['alias'] === undefined)],
    PublicationObjSpec: [
      since(15, 'tables in schema', f => /_TABLES_IN_(CUR_)?SCHEMA$/.test(textOf(f, 'pubobjtype'))),
      since(15, 'columns of a published table', f => listOf(fieldsOf(f, 'pubtable'), 'columns').length > 0),
      since(15, 'rows of a published table', f => fieldsOf(f, 'pubtable')['whereClause'] !== undefined),
    ],
    GrantStmt: [
      since(15, 'privileges on a parameter', f => f['objtype'] === 'OBJECT_PARAMETER_ACL'),
      since(17, 'maintain', grantsMaintain),
    ],
    AlterDefaultPrivilegesStmt: [since(17, 'maintain', f => grantsMaintain(fieldsOf(f, 'action')))],
    GrantRoleStmt: [
      since(16, 'with inherit', f => optionsOf(f, 'opt').has('inherit')),
      since(16, 'with set', f => optionsOf(f, 'opt').has('set')),
    ],
    ReturningOption: [since(18, 'returning with (old, new)')],
    CopyStmt: [
      since(16, 'copy … default', f => optionsOf(f, 'options').has('default')),
      since(17, 'copy … on_error', f => optionsOf(f, 'options').has('on_error')),
    ],
    JsonObjectConstructor: [since(16, 'json_object')],
    JsonArrayConstructor: [since(16, 'json_array')],
    JsonArrayQueryConstructor: [since(16, 'json_array')],
    JsonArrayAgg: [since(16, 'json_arrayagg')],
    JsonObjectAgg: [since(16, 'json_objectagg')],
    JsonIsPredicate: [since(16, 'is json')],
    JsonTable: [since(17, 'json_table')],
    JsonFuncExpr: [since(17, 'json_exists, json_value and json_query')],
    JsonParseExpr: [since(17, 'json(… with unique keys)', f => f['unique_keys'] === true)],
    JsonScalarExpr: [since(17, 'json_scalar')],
    JsonSerializeExpr: [since(17, 'json_serialize')],
  }),
)

function since(version: number, what: string, asks: News['asks'] = () => true): News {
  return { since: version, what, asks }
}

function partition(fields: Fields): Fields {
  const [kind, definition] = openNode(fields['def'])
  return kind === 'PartitionCmd' ? definition : {}
}

function grantsMaintain(fields: Fields): boolean {
  return listOf(fields, 'privileges').some(one => textOf(openNode(one)[1], 'priv_name').toLowerCase() === 'maintain')
}

function setsInvoker(fields: Fields): boolean {
  return listOf(openNode(fields['def'])[1], 'items').some(one => openNode(one)[1]['defname'] === 'security_invoker')
}
