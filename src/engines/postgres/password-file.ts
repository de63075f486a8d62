import { readQuietly } from './service-file.ts'

/** The first matching line of libpq's password file: `host:port:database:user:password`, `*` matches all, `\` escapes. */
export function passwordFromFile(
  target: { host: string; port: number; database: string; user: string },
  file: string | undefined,
): string | undefined {
  const text = file === undefined ? '' : readQuietly(file)
  const wanted = [
    target.host.startsWith('/') ? 'localhost' : target.host,
    String(target.port),
    target.database,
    target.user,
  ]
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue
    const fields = [...line.matchAll(/((?:\\.|[^:\\])*)(?::|$)/g)].map(match =>
      (match[1] ?? '').replace(/\\(.)/g, '$1'),
    )
    if (wanted.every((value, i) => fields[i] === '*' || fields[i] === value)) return fields[4]
  }
  return undefined
}
