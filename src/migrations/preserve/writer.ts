/** Writes one archive: made when the first object comes, so that a step that destroys nothing leaves no trace. */
import { randomBytes } from 'node:crypto'
import type { Parameterized, Session } from '../../engines/engine.ts'
import type { Direction } from '../../telemetry/event.ts'
import {
  type ArchiveKind,
  archiveRow,
  archiveSchema,
  type Detail,
  ensureArchiveSchema,
  objectRow,
  queryArchives,
  readObjects,
} from './store.ts'
import { ident } from './text.ts'

export interface Subject {
  readonly track: string
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  readonly runId: string
  /** An earlier attempt did a part of the step, so its archive is gone on with. */
  readonly resumed: boolean
}

export interface Writer {
  /** A free name for a copy, quoted and qualified. */
  nameFor(table: string): Promise<string>
  add(kind: ArchiveKind, object: NewObject): Promise<number>
  /** As `add`, for those who send its statements together with others, at once and in this order. */
  added(kind: ArchiveKind, object: NewObject): Promise<Added>
  /** Null while nothing was archived. */
  id(): string | null
}

export interface Added {
  readonly number: number
  readonly statements: readonly Parameterized[]
}

export interface NewObject {
  readonly source: string
  readonly copy: string | null
  readonly rows: number | null
  readonly detail: Detail
}

/** Inside a transaction that the archive commits with. */
export function openWriter(
  session: Session,
  subject: Subject,
  source: { readonly newId: () => string; readonly now: () => string },
): Writer {
  let archive: Promise<{ id: string; next: number; unsent: Parameterized[] }> | undefined
  let id: string | null = null
  const open = async () => {
    const { track, version, direction, slug, runId } = subject
    const [earlier] = subject.resumed
      ? (await queryArchives(session, { track, version, direction, statuses: ['kept'] })).toReversed()
      : []
    if (earlier) {
      id = earlier.id
      const next = Math.max(0, ...(await readObjects(session, id)).map(object => object.number)) + 1
      return { id, next, unsent: [] }
    }
    id = source.newId()
    const row = archiveRow({
      id,
      track,
      version,
      slug,
      direction,
      runId,
      status: 'kept',
      createdAt: source.now(),
      endedAt: null,
      endedBy: null,
      report: null,
    })
    return { id, next: 1, unsent: [row] }
  }
  const added = async (kind: ArchiveKind, object: NewObject): Promise<Added> => {
    const state = await (archive ??= open())
    const number = state.next++
    const statements = [...state.unsent.splice(0), objectRow({ archiveId: state.id, number, kind, ...object })]
    return { number, statements }
  }
  return {
    async nameFor(table) {
      await ensureArchiveSchema(session)
      return freeName(table)
    },
    added,
    async add(kind, object) {
      const { number, statements } = await added(kind, object)
      await session.send(statements)
      return number
    },
    id: () => id,
  }
}

/** As `nameFor`, where the schema is there. */
export function freeName(table: string): string {
  const tail = `_${randomBytes(6).toString('hex')}`
  return `${archiveSchema}.${ident(cut(table, 60 - tail.length) + tail)}`
}

/** Names have 63 bytes. */
function cut(name: string, bytes: number): string {
  let text = name
  while (Buffer.byteLength(text) > bytes) text = text.slice(0, -1)
  return text
}
