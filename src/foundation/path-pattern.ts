/** `*` within a name, `**` over folders, `?` for one letter: the patterns that people know from ignore files. */
export function matchesPattern(path: string, pattern: string): boolean {
  const wanted = pattern.replace(/^\.?\//, '').replace(/\/$/, '/**')
  const parts = wanted.split(/(\*\*\/?|\*|\?)/).map(part => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    return part.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`).test(path.replaceAll('\\', '/'))
}
