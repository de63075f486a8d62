/** Rows as CSV for `copy … with (format csv)`: null is an empty field, a text is quoted where it must be. */

/** Chunks of at least 64 KiB, since one write a row is what makes a copy slow. The last field of a row is its number. */
export async function* csvChunks(rows: readonly (readonly (string | null)[])[], first: number): AsyncGenerator<string> {
  let chunk = ''
  for (const [index, row] of rows.entries()) {
    chunk += `${csvLine(row)},${first + index}\n`
    if (chunk.length < 65_536) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}

export function csvLine(fields: readonly (string | null)[]): string {
  return fields.map(csvField).join(',')
}

function csvField(field: string | null): string {
  if (field === null) return ''
  return /^[\w.:+-]+$/.test(field) ? field : `"${field.replaceAll('"', '""')}"`
}
