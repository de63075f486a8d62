/** Rewrites are put into texts from the end, one where two touch each other, and none where a finding is allowed. */
import { expect, test } from 'vitest'
import { fixTexts } from '../../src/lint/fix.ts'
import type { Finding } from '../../src/schema/finding.ts'

const text = 'one two three\n'
const source = {
  path: 'm/1_a.up.sql',
  direction: 'up' as const,
  version: '1',
  slug: 'a',
  text,
  opposite: null,
  role: 'judged' as const,
}

function finding(start: number, end: number, put: string, allowed: Finding['allowed'] = null): Finding {
  return {
    rule: 'example',
    severity: 'warning',
    message: 'It is so.',
    hint: 'Write it otherwise.',
    file: source.path,
    line: 1,
    column: start + 1,
    endLine: 1,
    endColumn: end + 1,
    version: '1',
    direction: 'up',
    statement: 0,
    object: null,
    basis: 'text',
    allowed,
    fix: { title: 'Write it otherwise', edits: [{ start, end, text: put }] },
  }
}

test('several in one text keep their places', () => {
  const [fixed] = fixTexts([finding(0, 3, 'first'), finding(8, 13, '3'), finding(4, 4, 'the ')], [source])
  expect(fixed?.after).toBe('first the two 3\n')
  expect(fixed?.findings).toHaveLength(3)
})

test('of two that touch the first is taken', () => {
  const [fixed] = fixTexts([finding(0, 7, 'a'), finding(4, 13, 'b')], [source])
  expect([fixed?.after, fixed?.findings.length]).toEqual(['a three\n', 1])
})

test('what is allowed, another direction and context stay as they are', () => {
  const allowed = finding(0, 3, 'x', { by: 'file', reason: 'so' })
  expect(fixTexts([allowed, { ...finding(0, 3, 'x'), direction: 'down' }], [source])).toEqual([])
  expect(fixTexts([finding(0, 3, 'x')], [{ ...source, role: 'context' }])).toEqual([])
})
