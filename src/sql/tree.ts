/** Reading libpg-query's tree: a node is an object with one key, its kind. The tree is data from a parser, so fields are looked up, not trusted. */

export type Fields = Readonly<Record<string, unknown>>

/** `{ CreateStmt: {…} }` → `['CreateStmt', {…}]`. */
export function openNode(node: unknown): readonly [kind: string, fields: Fields] {
  if (!isFields(node)) return ['', {}]
  // Asked millions of times, so no list of entries is made.
  for (const kind in node) {
    const fields = node[kind]
    return isFields(fields) ? [kind, fields] : ['', {}]
  }
  return ['', {}]
}

export function fieldsOf(parent: Fields, name: string): Fields {
  const value = parent[name]
  return isFields(value) ? value : {}
}

export function listOf(parent: Fields, name: string): readonly unknown[] {
  const value = parent[name]
  return Array.isArray(value) ? value : []
}

export function textOf(parent: Fields, name: string): string {
  const value = parent[name]
  return typeof value === 'string' ? value : ''
}

/** A range variable's name as written, such as `platform.users`; empty when there is none. */
export function relationName(fields: Fields): string {
  const schema = textOf(fields, 'schemaname')
  const name = textOf(fields, 'relname')
  return schema && name ? `${schema}.${name}` : schema || name
}

/** The same name with every part quoted, so that `to_regclass` reads it as the parser did. */
export function quotedRelation(fields: Fields): string {
  return quotedName([textOf(fields, 'schemaname'), textOf(fields, 'relname')])
}

/** Empty parts are left out. */
export function quotedName(parts: readonly string[]): string {
  return parts
    .filter(Boolean)
    .map(part => `"${part.replaceAll('"', '""')}"`)
    .join('.')
}

/** A name from a list of strings, a bare string, a type name or an object with arguments. */
export function dottedName(node: unknown): string {
  if (Array.isArray(node)) return node.map(dottedName).filter(Boolean).join('.')
  const [kind, fields] = openNode(node)
  if (kind === 'String') return textOf(fields, 'sval')
  if (kind === 'List') return dottedName(fields['items'])
  if (kind === 'TypeName') return dottedName(fields['names'])
  if (kind === 'ObjectWithArgs') return dottedName(fields['objname'])
  if (kind === 'RangeVar') return relationName(fields)
  return ''
}

/** The options of a statement, such as `params: [{ DefElem }]`, by name. */
export function optionsOf(parent: Fields, list: string): ReadonlyMap<string, Fields> {
  return new Map(
    listOf(parent, list).map(node => {
      const [, fields] = openNode(node)
      return [textOf(fields, 'defname'), fields]
    }),
  )
}

/** Whether an option is given and not switched off, as in `(full)` and unlike `(full false)`. */
export function isOptionOn(parent: Fields, list: string, name: string): boolean {
  const given = optionsOf(parent, list).get(name)
  if (!given) return false
  const [kind, value] = openNode(given['arg'])
  if (kind === 'Boolean') return value['boolval'] === true
  if (kind === 'Integer') return value['ival'] === 1
  return !/^(false|off)$/i.test(textOf(value, 'sval'))
}

/** Calls `visit` for every node of the tree, outermost first. */
export function walk(node: unknown, visit: (kind: string, fields: Fields) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit)
  } else if (isFields(node)) {
    for (const key of Object.keys(node)) {
      const value = node[key]
      if (typeof value !== 'object') continue
      // Kinds begin with a capital, fields do not; `[` is what follows `Z`.
      if (key < '[' && isFields(value)) visit(key, value)
      walk(value, visit)
    }
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
