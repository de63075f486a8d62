/** Whether a file is still what ran. */
import { createHash } from 'node:crypto'
import type { MigrationFile } from './migration.ts'

/** Version control may check the same file out with other line endings; that is no change of the migration. */
export function hasChanged(file: MigrationFile, checksum: string): boolean {
  if (file.checksum === checksum) return false
  const unix = file.text.replaceAll('\r\n', '\n')
  return !withMark(unix).includes(checksum) && !withMark(unix.replaceAll('\n', '\r\n')).includes(checksum)
}

function withMark(text: string): string[] {
  return [text, `\ufeff${text}`].map(bytes => createHash('sha256').update(bytes).digest('hex'))
}
