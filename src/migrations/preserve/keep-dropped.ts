/** Keeps what a `drop` takes away. A table moves; types, domains, schemas and whatever cascades are tried first, to see what goes with them. */
import type { Session } from '../../engines/engine.ts'
import { asPlinthError } from '../../errors.ts'
import type { Statement } from '../../sql/parse.ts'
import { stopCapture } from './capture.ts'
import { lockAgainstAll } from './catch-up.ts'
import { holdsRows } from './copy.ts'
import { type Custody, isRedundant, originOf, type Send, tablesNamed, withHeirs } from './custody.ts'
import type { Effect } from './effects.ts'
import { keepKnown, keepSequences } from './keep-known.ts'
import { moveTables } from './move.ts'
import { plainly } from './plainly.ts'
import { differences } from './prove.ts'
import { releaseCollations, releaseTypes } from './release.ts'
import { type Shape, shapeOf } from './shape.ts'
import { archiveSchema } from './store.ts'
import { ident, namesArray } from './text.ts'
import { type Witness, witness } from './witness.ts'

type Drop = Extract<Effect, { kind: 'drop' }>

export async function keepDropped(custody: Custody, statement: Statement, effect: Drop, send: Send): Promise<void> {
  if (effect.what !== 'table' && effect.what !== 'schema') return keepWhatGoes(custody, statement, effect, send)
  const { session, before, covered } = custody
  const named = effect.what === 'table' ? await tablesNamed(custody, effect.names) : []
  const oids = await withHeirs(custody, ...(effect.what === 'table' ? named : tablesIn(before, effect.names)))
  // A table that an earlier statement dropped has moved, and does not go with the schema that it was in.
  const known = oids.filter(oid => before.has(oid) && !(effect.what === 'schema' && covered.has(String(oid))))
  const shapes = await plainly(session, () => lockedShapes(custody, known))
  const isEmpty = shapes.every(shape => !shape.full)
  if (isEmpty) {
    await plainly(session, async () => {
      for (const shape of shapes) {
        const columns = shape.sequences.map(({ column }) => column)
        await keepSequences(custody, shape, columns)
      }
    })
    if (effect.what === 'table') await release(custody, effect, statement)
  } else {
    if (!(await triedGone(custody, statement, effect))) return send()
    await plainly(session, async () => {
      await stopCaptures(custody, known)
      await dropForeignParts(session, known)
      await moveAll(custody, shapes, named)
      if (effect.what === 'schema') {
        await releaseTypes(session, { kind: 'schema', names: effect.names })
        await releaseCollations(session, { schemas: effect.names })
      }
    })
  }
  for (const oid of known) covered.add(String(oid))
  return effect.what === 'schema' ? keepWhatGoes(custody, statement, effect, send) : send()
}

/** Types, domains, extensions, sequences, and whatever cascades. */
async function keepWhatGoes(custody: Custody, statement: Statement, effect: Drop, send: Send): Promise<void> {
  const { session, covered } = custody
  const before = await plainly(session, () => witness(session))
  const gone = await triedGone(custody, statement, effect, before)
  if (!gone) return send()
  const isDue = (one: string) => {
    const oid = Number(one.split('.')[0])
    const relation = before.get(oid)
    const isKept = covered.has(one.replace('.values', '')) || relation?.schema === archiveSchema
    return custody.before.has(oid) && !isRedundant(custody, relation) && !isKept
  }
  await plainly(session, () => keepKnown(custody, new Set(gone.filter(isDue))))
  return send()
}

/** Between this look and the statement nobody may write. */
async function lockedShapes(
  custody: Custody,
  oids: readonly number[],
): Promise<(Shape & { readonly full: boolean })[]> {
  const { session, options } = custody
  await lockAgainstAll(session, await ownTables(custody, oids))
  const found: (Shape & { readonly full: boolean })[] = []
  for (const oid of oids) {
    const shape = await shapeOf(session, oid, options)
    if (shape) found.push({ ...shape, full: await holdsRows(session, shape) })
  }
  return found
}

/** Those that this role may drop; for the others the statement fails in its own words. */
async function ownTables({ session }: Custody, oids: readonly number[]): Promise<string[]> {
  if (oids.length === 0) return []
  const { rows } = await session.query<{ name: string }>(
    `select c.oid::regclass::text as name
    from pg_catalog.pg_class c
    where c.oid in (${oids.join(', ')}) and pg_has_role(c.relowner, 'usage')
    order by 1`,
  )
  return rows.map(row => row.name)
}

async function moveAll(custody: Custody, shapes: readonly Shape[], named: readonly number[]): Promise<void> {
  const { session, writer, options } = custody
  const origins = new Map(
    shapes.flatMap(shape => {
      const origin = originOf(custody, shape)
      return origin ? [[shape.oid, origin] as const] : []
    }),
  )
  const oids = shapes.map(shape => shape.oid)
  await moveTables(session, writer, { oids, named, origins, tenantColumn: options.tenantColumn })
}

/** They hold nothing here, and go as the statement would have it, which was tried before. */
async function dropForeignParts(session: Session, oids: readonly number[]): Promise<void> {
  const { rows } = await session.query<{ name: string }>(
    `with recursive part as (
      select c.oid from pg_catalog.pg_class c where c.oid in (${oids.join(', ')})
      union
      select i.inhrelid from part p join pg_catalog.pg_inherits i on i.inhparent = p.oid
    )
    select c.oid::regclass::text as name from part p join pg_catalog.pg_class c on c.oid = p.oid where c.relkind = 'f'`,
  )
  if (rows.length > 0) await session.script(`drop foreign table ${rows.map(({ name }) => name).join(', ')} cascade`)
}

/** A table that moves is not watched any more; its captured rows stay captured. */
async function stopCaptures(custody: Custody, oids: readonly number[]): Promise<void> {
  for (const capture of custody.captures.filter(one => one.oids.some(oid => oids.includes(oid)))) {
    await stopCapture(custody.session, capture)
    custody.captures = custody.captures.filter(one => one !== capture)
  }
}

function tablesIn(before: Witness, schemas: readonly string[]): number[] {
  return [...before.values()]
    .filter(({ kind, schema }) => kind !== 'sequence' && schemas.includes(ident(schema)))
    .map(relation => relation.oid)
}

/**
 * Tries the statement and takes it back; answers what went, as far as `before` was given. Null when it fails, so that it fails again in its own
 * place. What stands in its way only because the archive still uses a type is made free of it.
 */
async function triedGone(
  custody: Custody,
  statement: Statement,
  effect: Drop,
  before?: Witness,
): Promise<readonly string[] | null> {
  const { session } = custody
  let gone: readonly string[] = []
  for (const last of [false, true]) {
    await session.query('savepoint plinth_try')
    try {
      await session.script(statement.text)
      const after = before ? await plainly(session, () => witness(session)) : null
      await session.query('rollback to savepoint plinth_try')
      gone = before && after ? differences(before, after) : []
      if (!gone.some(one => before?.get(Number(one.split('.')[0]))?.schema === archiveSchema)) return gone
    } catch (thrown) {
      const error = asPlinthError(thrown)
      await session.query('rollback to savepoint plinth_try')
      if (error.sqlState !== '2BP01' || last) return null
    }
    await release(custody, effect, statement)
  }
  return gone
}

async function release({ session }: Custody, effect: Drop, { kind }: Statement): Promise<void> {
  const { rows } = await session.query('select from pg_catalog.pg_namespace where nspname = $1', [archiveSchema])
  if (rows.length === 0 || (effect.what === 'table' && kind === 'DropStmt')) return
  const { names } = effect
  if (effect.what === 'collation') return releaseCollations(session, { names })
  // Names of types are read where the file's search path still holds.
  const { rows: types } = await session.query<{ name: string }>(
    `select format('%I.%I', n.nspname, t.typname) as name
    from unnest($1::text[]) written
    join pg_catalog.pg_type t on t.oid = to_regtype(written)
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace`,
    [namesArray(names)],
  )
  const which = () => {
    if (effect.what === 'schema') return { kind: 'schema', names } as const
    if (types.length > 0) return { kind: 'type', names: types.map(type => type.name) } as const
    return { kind: 'any', names: [] } as const
  }
  await plainly(session, async () => {
    await releaseTypes(session, which())
    if (which().kind === 'any') await releaseCollations(session, null)
  })
}
