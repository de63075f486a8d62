/** graphile-migrate keeps the hash of each committed file, which the file names as well: SHA-1 over the hash before it and the text below its head. */
import { createHash } from 'node:crypto'
import { type ForeignTool, leadingVersion } from './tool.ts'

export const graphileMigrate: ForeignTool = {
  name: 'graphile-migrate',
  layout: 'graphile-migrate',
  table: 'migrations',
  columns: ['hash', 'previous_hash', 'filename'],
  ownsSchema: true,
  async read(session, table) {
    const { rows } = await session.query<{ hash: string; filename: string; at: string | null }>(
      `select hash, filename, date as at from ${table} order by filename`,
    )
    return {
      applied: rows.flatMap(({ hash, filename, at }) => {
        const version = leadingVersion(filename)
        if (version === null) return []
        return [{ version, at, by: null, unchanged: ({ text, written }) => isAsCommitted(written ?? text, hash) }]
      }),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
}

function isAsCommitted(text: string, hash: string): boolean {
  const named = headerOf(text, 'Hash')
  if (named !== hash || headerOf(text, 'AllowInvalidHash') !== undefined) return named === hash
  const [algorithm = ''] = hash.split(':')
  if (algorithm !== 'sha1') return true
  const previous = headerOf(text, 'Previous') ?? '-'
  const body = text.replaceAll('\r\n', '\n').replace(/^(?:--! [A-Z][^\n]*(?:\n|$))+/, '')
  const hashed = `${`${previous === '-' ? '' : previous}\n${body.trim()}`.trim()}\n`
  return `sha1:${createHash('sha1').update(hashed).digest('hex')}` === hash
}

function headerOf(text: string, name: string): string | undefined {
  const found = new RegExp(`^--! ${name}(?::[ \\t]*(.*?))?[ \\t]*\\r?$`, 'm').exec(text)
  return found ? (found[1] ?? '') : undefined
}
