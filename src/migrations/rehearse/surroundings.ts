/**
 * What a migration expects of its server beside the database: roles, which all databases of a server share, and extensions that are installed.
 * A rehearsal server is another one than the target, so what it lacks is made, left out or said, and never counted as a fault of the migration.
 */
import type { Session } from '../../engines/engine.ts'
import type { PlinthError } from '../../errors.ts'
import type { Statement } from '../../sql/parse.ts'
import { openNode, textOf } from '../../sql/tree.ts'
import { mayBeShared, wordingOnScratch } from '../server-wide/index.ts'
import { isOfDatabase } from '../server-wide/statement.ts'
import { missingRole } from './missing-role.ts'

/** `make`: a server that is there for rehearsals, so a role without login does no harm. `leave`: somebody else's. */
export type MissingRoles = 'make' | 'leave'

export interface Surroundings {
  readonly missingRoles: MissingRoles
  /** In whole sentences. */
  readonly gaps: Set<string>
  /** Extensions that were left out. */
  readonly missing: Set<string>
  /** Roles that somebody else made in the same moment. */
  readonly raced: Set<string>
  /** Roles that are made here, with which it may do what it likes. */
  readonly ownRoles: Set<string>
}

export function openSurroundings(missingRoles: MissingRoles): Surroundings {
  return { missingRoles, gaps: new Set(), missing: new Set(), raced: new Set(), ownRoles: new Set() }
}

/** What is sent for a statement; null where it is left out, because it cannot or need not be done here, which the gaps tell. */
export async function wordingOf(session: Session, statement: Statement, around: Surroundings): Promise<string | null> {
  const [kind, fields] = openNode(statement.tree)
  if (kind === 'DropRoleStmt') {
    around.gaps.add('Roles belong to a whole server, so "drop role" was not rehearsed.')
    return null
  }
  if (isOfDatabase(statement)) {
    around.gaps.add('A scratch database has another name, so what is said of a database by its name was not rehearsed.')
    return null
  }
  if (kind === 'CreateRoleStmt') {
    const name = textOf(fields, 'role')
    if (await exists(session, 'pg_catalog.pg_roles', 'rolname', name)) return null
    around.ownRoles.add(name)
    return statement.text
  }
  if (kind !== 'CreateExtensionStmt') return wordingOfShared(session, statement, around)
  const name = textOf(fields, 'extname')
  if (await exists(session, 'pg_catalog.pg_available_extensions', 'name', name)) return statement.text
  around.missing.add(name)
  around.gaps.add(
    `The extension ${name} is not installed on the rehearsal server, so what needs it was not rehearsed; name a server that has it with --rehearse-on.`,
  )
  return null
}

/** A server of our own may be told what a history says of its roles; in a block that makes some, those that are there stand in the way of the rest. */
async function wordingOfShared(
  session: Session,
  statement: Statement,
  { missingRoles, gaps, ownRoles }: Surroundings,
): Promise<string | null> {
  const isOurs = missingRoles === 'make' && statement.kind !== 'DoStmt' && statement.kind !== 'AlterSystemStmt'
  if (isOurs || !mayBeShared.test(statement.text)) return statement.text
  const wording = await wordingOnScratch(session, statement, ownRoles)
  if (wording !== '') return wording ?? statement.text
  gaps.add('The server and the roles that it has stay as they are, so what is said of them was not rehearsed.')
  return null
}

/** What to do about a failure: try again once the role was made, stop without blaming the migration, or take it as it is. */
export type Answer = 'try again' | 'stop' | 'fail'

/** Outside of any transaction. */
export async function answerFailure(
  session: Session,
  { error, statement }: { readonly error: PlinthError; readonly statement: Statement | undefined },
  around: Surroundings,
): Promise<Answer> {
  const role = await missingRole(session, error, statement ? [statement.tree] : [])
  const raced = racedRole(error)
  if (raced !== null && !around.raced.has(raced)) {
    around.raced.add(raced)
    return 'try again'
  }
  if (role !== null && around.missingRoles === 'make' && (await makeRole(session, role))) {
    around.gaps.add(
      `The role ${role} was made on the rehearsal server, without the rights that it may have on the target.`,
    )
    return 'try again'
  }
  if (role !== null) {
    around.gaps.add(
      `The role ${role} is missing on the rehearsal server; make it in the prelude of the track or there, or name another server.`,
    )
    return 'stop'
  }
  return around.missing.size > 0 && isOfNames(error) ? 'stop' : 'fail'
}

/** Answers whether it is there then. */
export async function makeRole(session: Session, role: string): Promise<boolean> {
  await session.query(`create role "${role.replaceAll('"', '""')}" nologin`).catch(() => undefined)
  return exists(session, 'pg_catalog.pg_roles', 'rolname', role)
}

/** A role that was not there when it was looked for, and is when it is made: all rehearsals of a server share them. */
function racedRole({ sqlState, message }: PlinthError): string | null {
  if (sqlState === '42710') return /^role "(.+)" already exists$/i.exec(message)?.[1] ?? null
  return sqlState === '23505' && message.includes('pg_authid') ? message : null
}

/** Something is not known, which may be what the extension would have brought. */
function isOfNames({ sqlState = '' }: PlinthError): boolean {
  return /^(42|3F|0A|58|22023)/.test(sqlState)
}

async function exists(session: Session, catalog: string, column: string, name: string): Promise<boolean> {
  const { rows } = await session.query(`select 1 as one from ${catalog} where ${column} = $1`, [name])
  return rows.length > 0
}
