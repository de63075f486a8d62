/** Descriptions of the project's files as comments in the warehouse, dbt's `persist_docs`. */
import type { Session } from '../../engines/engine.ts'
import type { Seed, Transform } from '../project/project.ts'
import { isYes, mappingOf } from '../project/shapes.ts'
import { spellingOf } from './cells.ts'

type Described = Pick<Transform | Seed, 'schema' | 'table' | 'description' | 'columns' | 'config'>

/** Says of a table or view, and of its columns, what the settings ask for; a description that is gone goes there as well. */
export async function persistDocs(session: Session, described: Described, kind: 'table' | 'view'): Promise<void> {
  const { schema, table, description } = described
  const asked = mappingOf(described.config['persist_docs'])
  const columns = isYes(asked['columns']) ? described.columns : []
  if (!isYes(asked['relation']) && columns.length === 0) return
  await spellingOf(session).comment?.(session, {
    kind,
    schema,
    table,
    ...(isYes(asked['relation']) ? { description } : {}),
    columns: new Map(columns.map(column => [column.name.toLowerCase(), column.description])),
  })
}
