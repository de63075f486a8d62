/** Forced row security hides rows even from a table's owner. Where it does, it is lifted for the work and put back. */
import type { Session } from '../../engines/engine.ts'
import type { Shape } from './shape.ts'

export async function withEveryRow<T>(
  session: Session,
  shapes: readonly Pick<Shape, 'name' | 'forcesRowSecurity'>[],
  work: () => Promise<T>,
): Promise<T> {
  const forced = shapes.some(shape => shape.forcesRowSecurity) && !(await seesEverything(session)) ? shapes : []
  const names = forced.filter(shape => shape.forcesRowSecurity).map(shape => shape.name)
  for (const name of names) await session.script(`alter table ${name} no force row level security`)
  const result = await work()
  for (const name of names) await session.script(`alter table ${name} force row level security`)
  return result
}

/** A copy belongs to the role that migrates; everybody else sees nothing of it, and no policy lets anybody in. */
export async function closeCopy(session: Session, copy: string): Promise<void> {
  await session.script(closingCopy(copy).join(';\n'))
}

/** The statements of {@link closeCopy}, for those who send them together with others. */
export function closingCopy(copy: string): string[] {
  return [`alter table ${copy} enable row level security`, `alter table ${copy} force row level security`]
}

/** Where a publication has all tables, rows of a copy could not be deleted otherwise. */
export function identifyingCopy(copy: string): string {
  return `alter table ${copy} replica identity full`
}

/** Before a copy is read or written again. */
export async function openCopy(session: Session, copy: string): Promise<void> {
  await session.script(openingCopy(copy))
}

/** The statement of {@link openCopy}, for those who send it together with others. */
export function openingCopy(copy: string): string {
  return `alter table ${copy} no force row level security`
}

export async function seesEverything(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ all: boolean }>(
    'select rolsuper or rolbypassrls as all from pg_catalog.pg_roles where rolname = current_user',
  )
  return rows[0]?.all === true
}
