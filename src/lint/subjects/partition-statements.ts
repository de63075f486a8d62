/** Partitioned tables and partitions that a file makes by its text, found once for all of its statements. */
import { fieldsOf, relationName } from '../../sql/tree.ts'
import type { FileView, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { objectName } from './columns.ts'

interface Made {
  readonly partitioned: ReadonlyMap<string, StatementView>
  readonly partitions: ReadonlyMap<string, StatementView>
}

const known = new WeakMap<FileView, Made>()

/** The statement that makes `relation` as what is asked for, if it stands before `statement`. */
export function maker(
  { file, statement }: StatementView,
  relation: string,
  as: 'partitioned' | 'partitions',
): StatementView | undefined {
  const made = known.get(file) ?? read(file)
  known.set(file, made)
  const found = made[as].get(objectName(relation))
  return found && found.statement.index < statement.index ? found : undefined
}

function read(file: FileView): Made {
  const creates = statementsOf(file, 'CreateStmt')
  const having = (key: string) =>
    new Map(
      creates
        .filter(view => view.fields[key] !== undefined)
        .map(view => [objectName(relationName(fieldsOf(view.fields, 'relation'))), view] as const),
    )
  return { partitioned: having('partspec'), partitions: having('partbound') }
}
