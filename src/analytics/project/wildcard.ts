/** Shell patterns: `*`, `?`, `[abc]` and `[!abc]`. Pure. */

/** Tells whether a text is as the pattern has it, from its beginning to its end. */
export function wildcard(pattern: string): (text: string) => boolean {
  const shape = new RegExp(`^${spelled(pattern)}$`, 's')
  return text => shape.test(text)
}

function spelled(pattern: string): string {
  return pattern.replace(/\[(!?)(\]?[^\]]*)\]|[\s\S]/g, (found, not?: string, among?: string) => {
    if (among !== undefined && among !== '')
      return `[${not === '!' ? '^' : ''}${among.replace(/[\\\]^]/g, String.raw`\$&`)}]`
    if (found === '*') return '.*'
    if (found === '?') return '.'
    return found.replace(/[.+^${}()|\\[\]*?]/g, String.raw`\$&`)
  })
}
