/**
 * What all databases of a server share: roles, and databases by their names. A scratch database stands in for another one, beside it or on another
 * server: what is said of a database by name would miss, or meet the real one, and a role that others use is neither made nor dropped for it.
 */
import { withSession } from '../engines/brackets.ts'
import type { Engine, Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { openParser, type Parse, type Statement } from '../sql/parse.ts'
import { listOf, openNode, quotedName, textOf } from '../sql/tree.ts'
import type { Migration, MigrationFile, MigrationFolder } from './migration.ts'

/** Whether a statement is about a database by its name: its rights, settings, comment, owner, or itself. */
export function isOfDatabase(statement: Statement): boolean {
  const [kind, fields] = openNode(statement.tree)
  if (/^(?:AlterDatabase\w*|CreatedbStmt|DropdbStmt)$/.test(kind)) return true
  if (kind === 'AlterRoleSetStmt') return textOf(fields, 'database') !== ''
  return ['objtype', 'objectType', 'renameType'].some(name => fields[name] === 'OBJECT_DATABASE')
}

export interface Fitted {
  readonly folder: MigrationFolder
  /** Roles that its files make and the server has not. */
  readonly roles: readonly string[]
}

/**
 * The folder for a scratch database, with the checksums that it had: statements about databases are blanked, and roles that the server has now are
 * neither made nor dropped. Roles that it has not are as they are written.
 */
export async function forScratch(session: Session, folder: MigrationFolder): Promise<Fitted> {
  if (!session.engine.can.postgresSyntax) return { folder, roles: [] }
  const all = [...folder.migrations, ...(folder.repeatables ?? [])]
  const files = all.flatMap(({ up, down }) => [up, ...(down ? [down] : [])]).filter(({ text }) => mayBe.test(text))
  if (files.length === 0) return { folder, roles: [] }
  const parse = await openParser('postgres')
  const read = new Map(files.map(file => [file, statementsOf(file, parse)]))
  const named = new Set([...read.values()].flat().flatMap(rolesOf))
  const existing = await existingOf(session, [...named])
  const written = new Map([...read].map(([file, statements]) => [file, rewritten(file, statements, existing)]))
  const fitted = (file: MigrationFile) => written.get(file) ?? file
  const fit = (one: Migration): Migration => ({ ...one, up: fitted(one.up), down: one.down && fitted(one.down) })
  const repeatables = folder.repeatables ? { repeatables: folder.repeatables.map(fit) } : {}
  return {
    folder: { ...folder, migrations: folder.migrations.map(fit), ...repeatables },
    roles: [...named].filter(name => !existing.has(name)),
  }
}

/** Once the scratch database is gone, in which they had rights. One that stands elsewhere stays. */
export async function dropRoles(engine: Engine, url: string, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await withSession(engine, url, { applicationName: 'plinth scratch' }, async session => {
    for (const name of names) await session.query(`drop role if exists ${quotedName([name])}`).catch(() => undefined)
  })
}

const mayBe = /\b(?:create|drop)\s+(?:role|user|group)\b|\bdatabase\b/i

/** None of a file that cannot be read, which says so itself when it runs. */
function statementsOf(file: MigrationFile, parse: Parse): readonly Statement[] {
  try {
    return parse(file.text, file.file).statements
  } catch (error) {
    if (error instanceof PlinthError) return []
    throw error
  }
}

async function existingOf(session: Session, names: readonly string[]): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set()
  const { rows } = await session.query<{ name: string }>(
    'select rolname as name from pg_catalog.pg_roles where rolname = any ($1::text[])',
    [names],
  )
  return new Set(rows.map(({ name }) => name))
}

function rolesOf({ tree }: Statement): readonly string[] {
  const [kind, fields] = openNode(tree)
  if (kind === 'CreateRoleStmt') return [textOf(fields, 'role')]
  return kind === 'DropRoleStmt' ? droppedBy(tree) : []
}

function droppedBy(tree: Statement['tree']): readonly string[] {
  const [, fields] = openNode(tree)
  return listOf(fields, 'roles').map(one => textOf(openNode(one)[1], 'rolename'))
}

/** Lines stay where they were. */
function rewritten(
  file: MigrationFile,
  statements: readonly Statement[],
  existing: ReadonlySet<string>,
): MigrationFile {
  let { text } = file
  for (const statement of statements.toReversed()) {
    const { start, end } = statement
    const own = file.text.slice(start, end)
    const instead = insteadOf(statement, own, existing)
    if (instead !== null) text = `${text.slice(0, start)}${instead}${text.slice(end)}`
  }
  return text === file.text ? file : { ...file, text }
}

/** Null for a statement that may stay. */
function insteadOf(statement: Statement, own: string, existing: ReadonlySet<string>): string | null {
  const blank = own.replace(/[^\n]/g, ' ')
  if (isOfDatabase(statement)) return blank
  if (!rolesOf(statement).some(name => existing.has(name))) return null
  if (openNode(statement.tree)[0] === 'CreateRoleStmt') return blank
  const others = droppedBy(statement.tree).filter(name => !existing.has(name))
  if (others.length === 0) return blank
  return `drop role if exists ${others.map(name => quotedName([name])).join(', ')}${blank.replaceAll(' ', '')}`
}
