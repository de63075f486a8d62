/** What a plan says of columns that come back: in batches or with their step, and why. The step itself asks the catalog again. */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import type { Statement } from '../../sql/parse.ts'
import { dottedName, listOf, openNode, textOf, walk } from '../../sql/tree.ts'
import { label } from '../migration.ts'
import type { Planned, Step } from '../plan.ts'
import { mayMute, whyTogether, whyWhole, worthBatches } from './apart.ts'
import { defaultTenantColumn } from './options.ts'
import { postpone } from './postpone.ts'
import { shapeOf } from './shape.ts'
import { type ArchiveObject, readArchives, readObjects } from './store.ts'

/** One sentence for each column of a large table, or of one whose file says how. Reads only. */
export async function foreseeRestores(session: Session, track: string, { plan, scripts }: Planned): Promise<string[]> {
  if (!session.engine.can.postgresSyntax || plan.steps.length === 0) return []
  const archives = await readArchives(session, { track, statuses: ['kept'] })
  const notices: string[] = []
  for (const step of plan.steps) {
    const owed = archives.filter(one => one.version === step.version && one.direction !== step.direction)
    const objects = (await Promise.all(owed.map(archive => readObjects(session, archive.id)))).flat()
    const statements = scripts.get(step.version)?.script.statements ?? []
    notices.push(...(await noticesOf(session, step, { objects, statements })))
  }
  return notices
}

interface Owed {
  readonly objects: readonly ArchiveObject[]
  readonly statements: readonly Statement[]
}

async function noticesOf(session: Session, step: Step, { objects, statements }: Owed): Promise<string[]> {
  const { restore } = step.directives
  const notices: string[] = []
  for (const object of objects) {
    const { kind, copy, detail, source } = object
    // Where every row had the same value, the new column mostly has it by its default, and nothing is written.
    if (kind !== 'column' || copy === null || (detail.uniform !== undefined && restore === null)) continue
    const shape = await shapeOf(session, source, { tenantColumn: defaultTenantColumn })
    if (!shape || (restore === null && shape.bytes < worthBatches)) continue
    const canMute = await withTransaction(session, () => mayMute(session), 'snapshot')
    const reason =
      (restore === 'together' ? 'its file says so' : null) ??
      whyWhole(objects) ??
      whyStated(
        statements,
        shape.name,
        detail.columns.map(column => column.name),
      ) ??
      (await whyTogether(session, object, shape, canMute))
    const what = `${label(step)}: the values of ${namesOf(object)} of ${source.replaceAll('"', '')} come back`
    notices.push(
      reason === null
        ? `${what} in batches behind its change, while others use the table; until its batch comes, a row holds the default of the column.`
        : `${what} in one piece, while nobody else may use the table: ${reason}.`,
    )
  }
  return notices
}

/** What the file's own statements ask of the column, which is not in the catalog yet. */
function whyStated(statements: readonly Statement[], table: string, names: readonly string[]): string | null {
  for (const statement of statements) {
    if (postpone(statement, table, new Set(names))) return 'it comes back not null, or into a key'
    if (constrainsAny(statement, names)) return 'a unique, exclusion or foreign key constraint holds on it'
  }
  return null
}

const binding: ReadonlySet<string> = new Set(['CONSTR_UNIQUE', 'CONSTR_PRIMARY', 'CONSTR_EXCLUSION', 'CONSTR_FOREIGN'])

function constrainsAny({ tree }: Statement, names: readonly string[]): boolean {
  let found = false
  const isBinding = (node: unknown) => binding.has(textOf(openNode(node)[1], 'contype'))
  walk(tree, (kind, fields) => {
    if (
      kind === 'ColumnDef' &&
      names.includes(textOf(fields, 'colname')) &&
      listOf(fields, 'constraints').some(isBinding)
    )
      found = true
    const listed = kind === 'Constraint' && binding.has(textOf(fields, 'contype')) ? ['keys', 'fk_attrs'] : []
    for (const list of listed) if (listOf(fields, list).some(node => names.includes(dottedName(node)))) found = true
    const isUnique = kind === 'IndexStmt' && fields['unique'] === true
    if (isUnique && listOf(fields, 'indexParams').some(node => names.includes(textOf(openNode(node)[1], 'name'))))
      found = true
  })
  return found
}

function namesOf({ detail }: ArchiveObject): string {
  return detail.columns.map(column => column.name).join(', ')
}
