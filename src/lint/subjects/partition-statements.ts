/** Partitioned tables and partitions that a file makes by its text, found once for all of its statements. */
import { fieldsOf, relationName } from '../../sql/tree.ts'
import { once } from '../once.ts'
import type { FileView, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { objectName } from './columns.ts'

interface Made {
  readonly partitioned: ReadonlyMap<string, StatementView>
  readonly partitions: ReadonlyMap<string, StatementView>
}

/** The statement that makes `relation` as what is asked for, if it stands before `statement`. */
export function maker(
  { file, statement }: StatementView,
  relation: string,
  as: 'partitioned' | 'partitions',
): StatementView | undefined {
  const found = madeIn(file)[as].get(objectName(relation))
  return found && found.statement.index < statement.index ? found : undefined
}

const madeIn = once((file: FileView): Made => {
  const creates = statementsOf(file, 'CreateStmt')
  const having = (key: string) =>
    new Map(
      creates
        .filter(view => view.fields[key] !== undefined)
        .map(view => [objectName(relationName(fieldsOf(view.fields, 'relation'))), view] as const),
    )
  return { partitioned: having('partspec'), partitions: having('partbound') }
})
