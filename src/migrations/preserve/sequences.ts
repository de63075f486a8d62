/** Sequences never go back, so that no number is given out twice. */
import type { Session } from '../../engines/engine.ts'
import { nothing, type Restored } from './account.ts'
import type { Shape } from './shape.ts'
import type { ArchiveObject } from './store.ts'

export async function restoreSequence(session: Session, object: ArchiveObject): Promise<Restored> {
  await setSequences(session, object, undefined)
  return { object, report: nothing(object), whole: true }
}

/** The greater of both, so that no number is given out twice. */
export async function setSequences(session: Session, object: ArchiveObject, shape: Shape | undefined): Promise<void> {
  for (const { column, name, last } of object.detail.sequences) {
    if (last === null) continue
    const owned = shape?.sequences.find(sequence => sequence.column === column)?.name ?? name
    await session.query(
      `select pg_catalog.setval(to_regclass($1), greatest($2::bigint, s.last_value), true)
      from pg_catalog.pg_sequences s
      where format('%I.%I', s.schemaname, s.sequencename)::regclass = to_regclass($1)`,
      [owned, last],
    )
  }
}
