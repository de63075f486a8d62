/**
 * Keeps the old rows of a statement that runs in batches: each batch copies what it is about to change, in its own transaction, so that the
 * opposite step can bring it back. What triggers of the table change elsewhere is not seen here.
 */
import type { StepContext } from '../context.ts'
import { assertRoom } from '../preserve/room.ts'
import { ownColumns, type Shape, shapeOf } from '../preserve/shape.ts'
import { queryArchives, readObjects } from '../preserve/store.ts'
import { columnList, ident } from '../preserve/text.ts'
import { identifyingCopy } from '../preserve/visible.ts'
import { openWriter, type Subject } from '../preserve/writer.ts'
import type { Batches } from './rewrite.ts'

export interface Keeper {
  /** In the transaction of a batch, before its statement. `after` is the key that is done, or empty. */
  keep(until: readonly string[], after: readonly string[]): Promise<void>
}

/** Null where nothing is destroyed: rows are only added, or what is overwritten stands elsewhere as well. */
export async function openKeeper(context: StepContext, batches: Batches): Promise<Keeper | null> {
  const { preserve, session, step } = context
  const { driver, reads } = batches
  if (!preserve || reads === null) return null
  const { redundant } = step.directives
  if (driver.sets.length > 0 && driver.sets.every(name => redundant.includes(name))) return null
  const shape = await shapeOf(session, driver.table, preserve)
  if (!shape?.key) return null
  await assertRoom(session, shape.bytes, preserve)
  const own = ownColumns(shape)
  const names = columnList(own.map(column => column.name))
  const values = own.map(({ name, kept }) => `${driver.alias}.${ident(name)}::${kept}`).join(', ')
  let copy: string | null = null
  return {
    async keep(until, after) {
      copy ??= (await earlierCopy(context, shape)) ?? (await newCopy(context, shape))
      const rows = after.length === 0 ? reads.first : reads.later
      await session.query(`insert into ${copy} (${names})\nselect ${values}\n${rows}\non conflict do nothing`, [
        ...until,
        ...after,
      ])
    },
  }
}

function subjectOf({ step, origin }: StepContext): Subject {
  const { version, slug, direction } = step
  return { track: origin.track, version, slug, direction, runId: origin.runId, resumed: true }
}

/** The first old row of a key wins, also over an earlier statement or attempt of the step. */
async function earlierCopy(context: StepContext, shape: Shape): Promise<string | null> {
  const { track, version, direction } = subjectOf(context)
  const archives = await queryArchives(context.session, { track, version, direction, statuses: ['kept'] })
  const last = archives.at(-1)
  const objects = last ? await readObjects(context.session, last.id) : []
  return (
    objects.find(one => one.kind === 'rows' && one.source === shape.name && !('imageColumns' in one.detail))?.copy ??
    null
  )
}

async function newCopy(context: StepContext, shape: Shape): Promise<string> {
  const { session, clock, newId } = context
  const writer = openWriter(session, subjectOf(context), { newId, now: () => new Date(clock.now()).toISOString() })
  const copy = await writer.nameFor(shape.table)
  const own = ownColumns(shape)
  const key = shape.key ?? []
  const columns = own.map(({ name, kept }) => `${ident(name)} ${kept}`)
  await session.script(`
create table ${copy} (${[...columns, 'plinth_inserted boolean', 'plinth_image bigint', "plinth_state text not null default 'restore'"].join(', ')});
create unique index on ${copy} (${columnList(key)});
${identifyingCopy(copy)};
alter table ${copy} enable row level security`)
  await writer.add('rows', {
    source: shape.name,
    copy,
    rows: null,
    detail: {
      columns: own.map(({ name, type }) => ({ name, type })),
      key,
      tenant: shape.tenant,
      sequences: shape.sequences,
    },
  })
  return copy
}
