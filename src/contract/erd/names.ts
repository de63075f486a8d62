/** Identifiers for diagram languages, which allow fewer characters than SQL does. */

/** An identifier of letters, digits and underscores for each name, all different, in the order given. */
export function identifiers(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<string>()
  return new Map(names.map(name => [name, free(identifier(name), taken)]))
}

/** Letters, digits and underscores, with no digit in front. */
export function identifier(name: string): string {
  const word = name.replace(/[^A-Za-z0-9_]+/g, '_')
  return /^[A-Za-z_]/.test(word) ? word : `_${word}`
}

function free(word: string, taken: Set<string>): string {
  let candidate = word
  for (let number = 2; taken.has(candidate); number++) candidate = `${word}_${number}`
  taken.add(candidate)
  return candidate
}
