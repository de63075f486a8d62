/** A unified diff that is short enough to read in a terminal. */

/** Differences that lead from `before` to `after`, with three lines around each, at most `linesMax` lines; empty when they are equal. */
export function unifiedDiff(
  before: string,
  after: string,
  name: string,
  { linesMax = 60 }: { readonly linesMax?: number } = {},
): string {
  if (before === after) return ''
  const edits = editsOf(before.split('\n'), after.split('\n'))
  const lines = [`--- ${name}`, `+++ ${name} (generated)`, ...hunks(edits)]
  const more = lines.length - linesMax
  return more > 0 ? [...lines.slice(0, linesMax), `… ${more} more lines`].join('\n') : lines.join('\n')
}

interface Edit {
  readonly sign: ' ' | '-' | '+'
  readonly line: string
}

const around = 3
/** Beyond this product of lengths the longest common subsequence costs too much, and the middle is shown as replaced. */
const cellsMax = 4_000_000

function editsOf(before: readonly string[], after: readonly string[]): readonly Edit[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail++
  const keep = (lines: readonly string[]): readonly Edit[] => lines.map(line => ({ sign: ' ', line }))
  return [
    ...keep(before.slice(0, head)),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...keep(before.slice(before.length - tail)),
  ]
}

function middle(before: readonly string[], after: readonly string[]): readonly Edit[] {
  if (before.length * after.length > cellsMax)
    return [...before.map(line => ({ sign: '-' as const, line })), ...after.map(line => ({ sign: '+' as const, line }))]
  const width = after.length + 1
  const common = new Uint32Array((before.length + 1) * width)
  const at = (i: number, j: number): number => common[i * width + j] ?? 0
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--)
      common[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  }
  const edits: Edit[] = []
  let [i, j] = [0, 0]
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      edits.push({ sign: ' ', line: before[i] ?? '' })
      i++
      j++
    } else if (i < before.length && (j === after.length || at(i + 1, j) >= at(i, j + 1)))
      edits.push({ sign: '-', line: before[i++] ?? '' })
    else edits.push({ sign: '+', line: after[j++] ?? '' })
  }
  return edits
}

function hunks(edits: readonly Edit[]): readonly string[] {
  const near = edits.map((_, index) =>
    edits.slice(Math.max(0, index - around), index + around + 1).some(edit => edit.sign !== ' '),
  )
  const lines: string[] = []
  let [old, now] = [1, 1]
  edits.forEach(({ sign, line }, index) => {
    if (near[index] && !near[index - 1]) lines.push(header(edits, near, index, old, now))
    if (near[index]) lines.push(`${sign}${line}`)
    if (sign !== '+') old++
    if (sign !== '-') now++
  })
  return lines
}

function header(edits: readonly Edit[], near: readonly boolean[], start: number, old: number, now: number): string {
  const end = near.indexOf(false, start)
  const hunk = edits.slice(start, end === -1 ? undefined : end)
  return `@@ -${old},${hunk.filter(edit => edit.sign !== '+').length} +${now},${hunk.filter(edit => edit.sign !== '-').length} @@`
}
