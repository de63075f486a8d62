import { qualified, type Schema, type View } from '../../schema/model.ts'
import { fieldsOf, relationName } from '../../sql/tree.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { dropped, dropsSeen, inUse, isOpaque, opaqueKinds } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-view-change',
  category: 'compatibility',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['DropStmt', ...opaqueKinds],
  title: 'A view goes, or loses or changes columns',
  why: `A view is a contract with its readers. \`create or replace view\` keeps the columns and may only add some at the end; dropping it and making
it anew may take columns away or change their types, and readers find out when they fail. Grants on the old view are lost too.`,
  instead: 'Make the new view under another name, change the readers, and drop the old one in a later file.',
  examples: {
    bad: [
      {
        title: 'dropped',
        before: 'create view days as select current_date as day;',
        up: 'drop view days;',
      },
      {
        title: 'made anew without a column',
        before: 'create view days as select current_date as day, 1 as number;',
        up: 'drop view days;\ncreate view days as select current_date as day;',
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'a column more',
        before: 'create view days as select current_date as day;',
        up: 'create or replace view days as select current_date as day, 1 as number;',
      },
      {
        title: 'made anew with the same columns',
        before: 'create view days as select current_date as day;',
        up: 'drop view days;\ncreate view days as select current_date + 1 as day;',
      },
    ],
  },
  *check(view) {
    for (const name of viewsOf(view)) {
      const lost = lossOf(view, name)
      if (lost) yield { message: `Whoever reads ${name} fails: ${lost}.`, object: name }
    }
  },
}

function viewsOf(view: StatementView): readonly string[] {
  const direct = ['VIEW', 'MATVIEW'].flatMap(type => dropped(view, type)).flatMap(name => inUse(view, name) ?? [])
  if (!isOpaque(view)) return direct
  return [...dropsSeen(view, 'view'), ...dropsSeen(view, 'materialized view')].map(({ name }) => name)
}

/** Without a rehearsal the columns are not known, so that a view of that name is enough. */
function lossOf({ file }: StatementView, name: string): string | null {
  const [old, next] = [viewIn(file.before, name), viewIn(file.step?.after, name)]
  if (file.step === null || !old) return isMadeAnew(file.statements, name) ? null : 'it is dropped'
  if (!next) return isTable(file.step.after, name) ? null : 'it is dropped'
  const lost = old.columns.flatMap(({ name: column, type }) => {
    const now = next.columns.find(one => one.name === column)
    if (!now) return [`${column} is gone`]
    return now.type === type ? [] : [`${column} was ${type} and is ${now.type}`]
  })
  return lost.join(', ') || null
}

function viewIn(schema: Schema | null | undefined, name: string): View | undefined {
  return schema?.views.find(one => qualified(one) === name)
}

function isTable(schema: Schema, name: string): boolean {
  return schema.tables.some(table => qualified(table) === name)
}

function isMadeAnew(statements: readonly StatementView[], name: string): boolean {
  return statements.some(({ statement, fields }) => {
    const made =
      relationName(fieldsOf(fields, 'view')) ||
      relationName(fieldsOf(fieldsOf(fields, 'into'), 'rel')) ||
      (statement.kind === 'CreateStmt' ? relationName(fieldsOf(fields, 'relation')) : '')
    return made !== '' && (isSame(name, made) || isSame(made, name))
  })
}
