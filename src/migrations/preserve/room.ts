/** Room for copies, asked before anything is written. Moving a table needs none. */
import { statfs } from 'node:fs/promises'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'

/** Throws ARCHIVE_REFUSED when a copy of that many bytes would not fit. The disk can be asked only where the server runs on this machine. */
export async function assertRoom(
  session: Session,
  bytes: number,
  options: { readonly archiveBytesMax: number | null },
): Promise<void> {
  const { archiveBytesMax } = options
  if (archiveBytesMax !== null && bytes > archiveBytesMax)
    throw refused(bytes, archiveBytesMax, 'the limit of the configuration')
  if (bytes < worthAsking) return
  const free = await freeBytes(session)
  if (free !== null && bytes > free * 0.9) throw refused(bytes, free, 'what is free on the disk of the server')
}

/** Below that, asking costs more than it tells. */
const worthAsking = 64 * 1024 * 1024

async function freeBytes(session: Session): Promise<number | null> {
  try {
    const { rows } = await session.query<{ folder: string | null; local: boolean }>(
      `select case when pg_has_role('pg_read_all_settings', 'usage') then current_setting('data_directory') end as folder,
        inet_server_addr() is null or inet_server_addr() << '127.0.0.0/8'::inet as local`,
    )
    const { folder = null, local = false } = rows[0] ?? {}
    if (folder === null || !local) return null
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return null
  }
}

function refused(bytes: number, room: number, whose: string): PlinthError {
  const mebibytes = (value: number) => `${Math.ceil(value / 1024 / 1024)} MiB`
  return new PlinthError(
    'ARCHIVE_REFUSED',
    `The archive needs up to ${mebibytes(bytes)}, and ${whose} is ${mebibytes(room)}.`,
    {
      hint: 'Make room, or raise the limit; then run again. Nothing was changed.',
      details: { neededBytes: bytes, roomBytes: room },
    },
  )
}
