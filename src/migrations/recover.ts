/**
 * Before a statement that runs outside any transaction: was it done already, or left half-way, by an attempt that died before it could count?
 * `if not exists` would lie about an index that a killed build left invalid, so the catalog is asked.
 *
 * What is not looked at here can safely run twice: VACUUM, CLUSTER, ALTER SYSTEM, REINDEX of a schema, system or database.
 */
import type { Session } from '../engines/engine.ts'
import type { Statement } from '../sql/parse.ts'
import { fieldsOf, listOf, openNode, quotedRelation, textOf } from '../sql/tree.ts'
import type { ConcurrentIndex } from '../sql/transaction.ts'
import type { StepContext } from './context.ts'
import { prefixHash } from './history.ts'

export interface BareStatement extends StepContext {
  readonly statement: Statement
}

export interface Note {
  readonly statement: number
  /** Of the statement's text: after an edit it is another statement, which never ran. */
  readonly fingerprint: string
  /** Indexes that were there before an index was built whose name the server chooses. */
  readonly indexes: readonly string[]
}

/** `done`: count it and go on. `run`: write the note down first; a text stands in where the rest of the way differs from the statement. */
export type Prepared =
  | { readonly action: 'done' }
  | { readonly action: 'run'; readonly text: string | undefined; readonly note: Note }

export async function prepareBare(context: BareStatement): Promise<Prepared> {
  const { statement, resumes } = context
  const earlier = readNote(resumes?.note)
  const fingerprint = prefixHash([statement], 1)
  const inFlight = earlier?.statement === statement.index && earlier.fingerprint === fingerprint ? earlier : null
  const found = await lookAround({ ...context, inFlight })
  if (found.action === 'done') return found
  return {
    action: 'run',
    text: found.text,
    note: { statement: statement.index, fingerprint, indexes: found.indexes ?? [] },
  }
}

type Found =
  | { readonly action: 'done' }
  | { readonly action: 'run'; readonly text?: string; readonly indexes?: readonly string[] }

interface Bare extends BareStatement {
  /** What the earlier attempt wrote down just before this very statement; null when it never came so far. */
  readonly inFlight: Note | null
}

async function lookAround(context: Bare): Promise<Found> {
  const { statement, inFlight } = context
  const index = statement.concurrentIndex
  if (index?.action === 'create')
    return index.name === null ? prepareUnnamed(context, index) : prepareCreate(context, index, index.name)
  if (index?.action === 'reindex') return prepareReindex(context, index)
  if (!inFlight) return { action: 'run' }
  if (index?.action === 'drop')
    return (await exists(context, 'select to_regclass($1) is not null as found', [index.index ?? '']))
      ? { action: 'run' }
      : { action: 'done' }
  return resumeOther(context)
}

/** A valid index that a dead attempt finished is done. An invalid one is dropped and built again, whoever left it: it serves nobody. */
async function prepareCreate(
  { session, inFlight, emit, step }: Bare,
  index: ConcurrentIndex,
  name: string,
): Promise<Found> {
  const { rows } = await session.query<{ name: string; valid: boolean; building: boolean }>(
    `select format('%I.%I', n.nspname, c.relname) as name, i.indisvalid and i.indisready as valid,
      exists (select from pg_catalog.pg_stat_progress_create_index p where p.index_relid = i.indexrelid) as building
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = to_regclass($1) and c.relname = $2`,
    [index.table, name],
  )
  const found = rows[0]
  if (!found || found.building) return { action: 'run' }
  if (found.valid) return inFlight ? { action: 'done' } : { action: 'run' }
  await dropIndex(session, found.name)
  emit({ type: 'index.rebuilt', version: step.version, index: found.name })
  return { action: 'run' }
}

/** The server chooses the name, so the index is known by being new: the ones before it are kept in the attempt. */
async function prepareUnnamed(context: Bare, index: ConcurrentIndex): Promise<Found> {
  const { session, inFlight, step, emit } = context
  const now = await indexesOf(session, index.table)
  const before = inFlight ? new Set(inFlight.indexes) : null
  const ours = before ? now.filter(one => !before.has(one.id)) : []
  if (ours.some(one => one.valid)) return { action: 'done' }
  for (const one of ours) {
    await dropIndex(session, one.name)
    emit({ type: 'index.rebuilt', version: step.version, index: one.name })
  }
  return { action: 'run', indexes: now.filter(one => !ours.includes(one)).map(one => one.id) }
}

/** A killed `reindex concurrently` leaves its half-built copies behind, by the names that PostgreSQL gives them. */
async function prepareReindex({ session, inFlight, emit, step }: Bare, index: ConcurrentIndex): Promise<Found> {
  if (!inFlight) return { action: 'run' }
  const table = index.table ?? (await tableOfIndex(session, index.index ?? ''))
  for (const one of await indexesOf(session, table)) {
    if (one.valid || !/_cc(new|old)\d*"?$/.test(one.name)) continue
    await dropIndex(session, one.name)
    emit({ type: 'index.rebuilt', version: step.version, index: one.name })
  }
  return { action: 'run' }
}

async function resumeOther(context: Bare): Promise<Found> {
  const [kind, fields] = openNode(context.statement.tree)
  const question = questions[kind]
  if (kind === 'AlterTableStmt') return resumeDetach(context)
  if (!question) return { action: 'run' }
  const found = await exists(context, question.text, [textOf(fields, question.field)])
  return found === (question.done === 'when there') ? { action: 'done' } : { action: 'run' }
}

/** A killed detach waits to be finalized, and until then nothing else can be detached from the table. */
async function resumeDetach({ session, statement }: Bare): Promise<Found> {
  const [, fields] = openNode(statement.tree)
  const [, command] = openNode(listOf(fields, 'cmds')[0])
  const partition = quotedRelation(fieldsOf(fieldsOf(fieldsOf(command, 'def'), 'PartitionCmd'), 'name'))
  const { rows } = await session.query<{ pending: boolean; parent: string; child: string }>(
    `select inhdetachpending as pending, inhparent::regclass::text as parent, inhrelid::regclass::text as child
    from pg_catalog.pg_inherits
    where inhparent = to_regclass($1) and inhrelid = to_regclass($2)`,
    [quotedRelation(fieldsOf(fields, 'relation')), partition],
  )
  const row = rows[0]
  if (!row) return { action: 'done' }
  return row.pending
    ? { action: 'run', text: `alter table ${row.parent} detach partition ${row.child} finalize` }
    : { action: 'run' }
}

interface Question {
  readonly text: string
  readonly field: string
  readonly done: 'when there' | 'when gone'
}

const database = 'select exists (select from pg_catalog.pg_database where datname = $1) as found'
const tablespace = 'select exists (select from pg_catalog.pg_tablespace where spcname = $1) as found'
const subscription = 'select exists (select from pg_catalog.pg_subscription where subname = $1) as found'

const questions: Readonly<Record<string, Question>> = {
  CreatedbStmt: { text: database, field: 'dbname', done: 'when there' },
  DropdbStmt: { text: database, field: 'dbname', done: 'when gone' },
  CreateTableSpaceStmt: { text: tablespace, field: 'tablespacename', done: 'when there' },
  DropTableSpaceStmt: { text: tablespace, field: 'tablespacename', done: 'when gone' },
  CreateSubscriptionStmt: { text: subscription, field: 'subname', done: 'when there' },
  DropSubscriptionStmt: { text: subscription, field: 'subname', done: 'when gone' },
}

async function exists({ session }: BareStatement, text: string, values: readonly string[]): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>(text, values)
  return rows[0]?.found === true
}

interface KnownIndex {
  readonly id: string
  /** Quoted and qualified. */
  readonly name: string
  readonly valid: boolean
}

async function indexesOf(session: Session, table: string | null): Promise<KnownIndex[]> {
  if (table === null) return []
  const { rows } = await session.query<KnownIndex>(
    `select i.indexrelid::text as id, format('%I.%I', n.nspname, c.relname) as name, i.indisvalid and i.indisready as valid
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where i.indrelid = to_regclass($1)`,
    [table],
  )
  return rows
}

async function tableOfIndex(session: Session, index: string): Promise<string | null> {
  const { rows } = await session.query<{ name: string }>(
    'select indrelid::regclass::text as name from pg_catalog.pg_index where indexrelid = to_regclass($1)',
    [index],
  )
  return rows[0]?.name ?? null
}

async function dropIndex(session: Session, name: string): Promise<void> {
  await session.script(`drop index concurrently if exists ${name}`)
}

function readNote(note: unknown): Note | null {
  if (typeof note !== 'object' || note === null) return null
  const { statement, fingerprint, indexes } = note as Partial<Record<keyof Note, unknown>>
  if (typeof statement !== 'number' || typeof fingerprint !== 'string' || !Array.isArray(indexes)) return null
  return { statement, fingerprint, indexes: indexes.map(String) }
}
