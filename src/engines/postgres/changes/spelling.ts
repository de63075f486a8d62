/** Names, literals and what a text mentions, as PostgreSQL spells them. */

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quotePath(object: { readonly schema: string; readonly name: string }): string {
  return `${quoteName(object.schema)}.${quoteName(object.name)}`
}

export function quoteNames(names: readonly string[]): string {
  return names.map(quoteName).join(', ')
}

export function literal(text: string | null): string {
  return text === null ? 'null' : `'${text.replaceAll("'", "''")}'`
}

/** `public` stands for everybody. */
export function quoteRole(role: string): string {
  return role === 'public' ? 'public' : quoteName(role)
}

export interface Name {
  readonly schema: string
  readonly name: string
}

/** Whether an expression or definition names the object; PostgreSQL writes every schema out, and quotes where it must. */
export function mentions(text: string, { schema, name }: Name): boolean {
  return new RegExp(`(?<![\\w"])${either(schema)}\\.${either(name)}(?![\\w"])`).test(text)
}

/** Whether a text of its own table names the column. */
export function mentionsColumn(text: string, column: string): boolean {
  return new RegExp(`(?<![\\w"])${either(column)}(?![\\w"])`).test(text)
}

function either(name: string): string {
  const plain = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return `(?:${plain}|"${plain.replaceAll('"', '""')}")`
}
