/**
 * While a column comes back in batches, others read and write its table. What they write wins, as it would if the column had come back at once:
 * triggers take the keys of rows that they write out of the copy, so that no batch touches those again. A row whose key changes, or of which
 * only some of the columns are written, gets the rest of its values in that moment.
 */
import type { Session } from '../../engines/engine.ts'
import { cast, commonColumns, nothing } from './account.ts'
import { vacuumFirst } from './catch-up.ts'
import type { Shape } from './shape.ts'
import { type ArchiveObject, type RestoreWindow, updateObject } from './store.ts'
import { columnList, ident, literal, sameKey } from './text.ts'
import { identifyingCopy, openCopy } from './visible.ts'

/** In the transaction that made the column, which nobody else can have written to yet. The copy stays open to its owner. */
export async function openWindow(
  session: Session,
  object: ArchiveObject,
  { shape, triggers }: { readonly shape: Shape; readonly triggers: RestoreWindow['triggers'] },
): Promise<void> {
  const { copy, detail } = object
  if (copy === null || detail.key === null) return
  const window: RestoreWindow = {
    written: beside(copy, 'w'),
    left: beside(copy, 'o'),
    routine: beside(copy, 'r'),
    triggers,
    key: null,
    report: nothing(object),
  }
  const keys = columnList(detail.key)
  await openCopy(session, copy)
  await session.script(
    [
      keyIndex(copy, detail.key),
      `create table ${window.written} as select ${keys} from ${copy} with no data`,
      `create unique index on ${window.written} (${keys})`,
      `create table ${window.left} as select * from ${copy} with no data`,
      ...[window.written, window.left].flatMap(table => [
        identifyingCopy(table),
        `alter table ${table} enable row level security`,
      ]),
      routineOf(object, shape, { ...window, copy }),
      ...triggersOf(object, shape, window),
    ].join(';\n'),
  )
  await updateObject(session, object, { detail: { ...detail, window } })
}

/** Batches and triggers find rows by it. Building it takes a while, so it is built before anybody has to wait. */
export function keyIndex(copy: string, key: readonly string[]): string {
  return `create unique index if not exists ${beside(copy, 'i').replace(/^.*?\./, '')} on ${copy} (${columnList(key)})`
}

/** Nobody waits for the batches any more, and whoever writes is on his own. Locks the table for a moment. */
export async function closeWindow(session: Session, object: ArchiveObject, window: RestoreWindow): Promise<void> {
  const { rows } = await session.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    object.source,
  ])
  const lockTimeout = "select set_config('plinth.lock_timeout', current_setting('lock_timeout'), true)"
  const waiting = [lockTimeout, "set local lock_timeout = '5s'", vacuumFirst([object.source])]
  const back = "select set_config('lock_timeout', current_setting('plinth.lock_timeout'), true)"
  if (rows[0]?.there === true) await session.script([...waiting, back].join(';\n'))
  if (window.routine !== null) await session.script(`drop function if exists ${window.routine}() cascade`)
  await updateObject(session, object, { detail: { ...object.detail, window: { ...window, routine: null } } })
}

/** Said in the transaction of a batch, whose writes are no news. */
export const saysItself = "set local plinth.restoring = 'on'"

/** Names of copies leave room for it. */
function beside(copy: string, letter: string): string {
  return `${copy.slice(0, -1)}${letter}"`
}

interface Named extends RestoreWindow {
  readonly copy: string
}

function routineOf(object: ArchiveObject, shape: Shape, { copy, written, routine }: Named): string {
  const key = object.detail.key ?? []
  const columns = commonColumns(object, shape)
  const moved = key.map(name => `new.${ident(name)} is distinct from old.${ident(name)}`).join(' or ')
  const note = (row: string) => `insert into ${written} values (${columnList(key, `${row}.`)}) on conflict do nothing`
  const fill = columns.map(
    column => `      if new.${ident(column.name)}::text is not distinct from old.${ident(column.name)}::text then
        new.${ident(column.name)} := ${cast(column, 'plinth_archived')};
      end if;`,
  )
  const body = `
declare
  plinth_archived ${copy}%rowtype;
begin
  if tg_op <> 'INSERT' then
    delete from ${copy} c where ${sameKey(key, 'c', 'old')} returning c.* into plinth_archived;
    if found then
      ${note('old')};
      if tg_op = 'DELETE' then
        return old;
      end if;
${fill.join('\n')}
    end if;
    if tg_op = 'DELETE' then
      return old;
    end if;
    if not (${moved}) then
      return new;
    end if;
  end if;
  delete from ${copy} c where ${sameKey(key, 'c', 'new')};
  if found then
    ${note('new')};
  end if;
  return new;
end`
  return `create function ${routine}() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp set row_security = off as ${literal(body)}`
}

/** Behind those of users, whose names seldom begin so. An insert that turns into an update, or into nothing, is none. */
function triggersOf(object: ArchiveObject, shape: Shape, { routine }: RestoreWindow): string[] {
  const ours = "pg_catalog.current_setting('plinth.restoring', true) is distinct from 'on'"
  const changed = [
    ...commonColumns(object, shape).map(
      ({ name }) => `old.${ident(name)}::text is distinct from new.${ident(name)}::text`,
    ),
    ...(object.detail.key ?? []).map(name => `old.${ident(name)} is distinct from new.${ident(name)}`),
  ]
  const kinds = [
    ['insert', 'after', ours],
    ['update', 'before', `${ours} and (${changed.join(' or ')})`],
    ['delete', 'after', ours],
  ] as const
  return kinds.flatMap(([event, moment, when]) => [
    `create trigger "~plinth_restore_${event}" ${moment} ${event} on ${shape.name} for each row when (${when}) execute function ${routine}()`,
    `alter table ${shape.name} enable always trigger "~plinth_restore_${event}"`,
  ])
}
