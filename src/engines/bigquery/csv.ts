/** Rows as CSV: NULL is empty, an empty string is `""`. */
export function csvLine(values: readonly unknown[]): string {
  return `${values.map(field).join(',')}\n`
}

function field(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value === '') return '""'
  const text = value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : plain(value)
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
