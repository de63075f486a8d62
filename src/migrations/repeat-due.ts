/** Whether a repeatable waits to be run: what status answers without knowing how anything runs. */
import { hasChanged } from './checksum.ts'
import type { Migration, VersionHistory } from './migration.ts'

/** Those that never ran, that changed, and that stopped half-way. */
export function isDue(migration: Migration, known: VersionHistory | null): boolean {
  const checksum = known?.applied?.upChecksum
  if (!checksum || hasChanged(migration.up, checksum)) return true
  const stopped = known?.unfinished
  return stopped?.direction === 'up' && (stopped.cursor > 0 || stopped.status !== 'failed')
}
