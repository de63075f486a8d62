/**
 * What all databases of a server share: roles, and databases by their names. A scratch database stands in for another one, beside it or on another
 * server: what is said of a database by name would miss, or meet the real one, and a role that others use is neither made nor dropped for it.
 */
import { withSession } from '../../engines/brackets.ts'
import type { Engine, Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { openParser, type Parse, type Statement } from '../../sql/parse.ts'
import { quotedName } from '../../sql/tree.ts'
import type { Migration, MigrationFile, MigrationFolder } from '../migration.ts'
import { type Block, blockOf, rewrittenBody, rolesMadeIn, rolesOfBlock } from './block.ts'
import { insteadOf, rolesMade, rolesNamed } from './statement.ts'

/** Cheap to ask of a text: it may be about roles, databases or the server. */
export const mayBeShared =
  /\b(?:role|user|group|database|system|tablespace)\b|\bowned\s+by\b|\b(?:grant|revoke)\b[^;]*\bparameter\b|\bgrant\s+[\w$", ]+\s+to\b|\brevoke\s+[\w$", ]+\s+from\b/i

export interface Fitted {
  readonly folder: MigrationFolder
  /** Roles that its files make and the server has not. */
  readonly roles: readonly string[]
}

/**
 * The folder for a scratch database, with the checksums that it had: statements about databases and the server are blanked, and roles that the server
 * has now are neither made nor changed nor dropped, also in DO blocks. Roles that it has not are as they are written.
 */
export async function forScratch(session: Session, folder: MigrationFolder): Promise<Fitted> {
  if (!session.engine.can.postgresSyntax) return { folder, roles: [] }
  const all = [...folder.migrations, ...(folder.repeatables ?? [])]
  const files = all
    .flatMap(({ up, down }) => [up, ...(down ? [down] : [])])
    .filter(({ text }) => mayBeShared.test(text))
  if (files.length === 0) return { folder, roles: [] }
  const parse = await openParser('postgres')
  const read = new Map(files.map(file => [file, partsOf(file, parse)]))
  const parts = [...read.values()].flat()
  const named = parts.flatMap(({ statement, block }) => (block ? rolesOfBlock(block) : rolesNamed(statement.tree)))
  const made = parts.flatMap(({ statement, block }) => (block ? rolesMadeIn(block) : rolesMade(statement.tree)))
  const existing = await existingOf(session, [...new Set(named)])
  const written = new Map([...read].map(([file, own]) => [file, rewritten(file, own, existing)]))
  const fitted = (file: MigrationFile) => written.get(file) ?? file
  const fit = (one: Migration): Migration => ({ ...one, up: fitted(one.up), down: one.down && fitted(one.down) })
  const repeatables = folder.repeatables ? { repeatables: folder.repeatables.map(fit) } : {}
  return {
    folder: { ...folder, migrations: folder.migrations.map(fit), ...repeatables },
    roles: [...new Set(made)].filter(name => !existing.has(name)),
  }
}

/**
 * What stands for one statement: null where it may stay, empty for nothing. `own` are roles that this scratch database made, to which those of a
 * block are added.
 */
export async function wordingOnScratch(
  session: Session,
  statement: Statement,
  own: Set<string>,
): Promise<string | null> {
  const block = blockOf(statement, await openParser('postgres'))
  const named = block ? rolesOfBlock(block) : rolesNamed(statement.tree)
  const existing = new Set([...(await existingOf(session, [...new Set(named)]))].filter(name => !own.has(name)))
  for (const name of block ? rolesMadeIn(block) : []) if (!existing.has(name)) own.add(name)
  return block ? withBody(statement.text, block, existing) : insteadOf(statement.tree, existing)
}

/** Once the scratch database is gone, in which they had rights. One that stands elsewhere stays. */
export async function dropRoles(engine: Engine, url: string, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await withSession(engine, url, { applicationName: 'plinth scratch' }, async session => {
    for (const name of names) await session.query(`drop role if exists ${quotedName([name])}`).catch(() => undefined)
  })
}

interface Part {
  readonly statement: Statement
  readonly block: Block | null
}

/** None of a file that cannot be read, which says so itself when it runs. */
function partsOf(file: MigrationFile, parse: Parse): readonly Part[] {
  try {
    return parse(file.text, file.file).statements.map(statement => ({ statement, block: blockOf(statement, parse) }))
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

/** Lines stay where they were. */
function rewritten(file: MigrationFile, parts: readonly Part[], existing: ReadonlySet<string>): MigrationFile {
  let { text } = file
  for (const { statement, block } of parts.toReversed()) {
    const { start, end } = statement
    const own = file.text.slice(start, end)
    const instead = block ? withBody(own, block, existing) : insteadOf(statement.tree, existing)
    if (instead === null) continue
    const lines = block ? instead : `${instead}${own.replace(/[^\n]/g, instead === '' ? ' ' : '')}`
    text = `${text.slice(0, start)}${lines}${text.slice(end)}`
  }
  return text === file.text ? file : { ...file, text }
}

function withBody(own: string, block: Block, existing: ReadonlySet<string>): string | null {
  const body = rewrittenBody(block, existing)
  if (body === null) return null
  const at = own.indexOf(`$${block.body}$`)
  if (at !== -1) return `${own.slice(0, at + 1)}${body}${own.slice(at + 1 + block.body.length)}`
  const before = own.slice(0, own.search(/'/)).replace(/[^\n]/g, '')
  return `do ${before}$plinth$${body}$plinth$`
}
