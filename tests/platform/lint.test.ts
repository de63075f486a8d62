/** The platform's own migrations pass every rule, without a warning; what is allowed says why. */
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { openFoundation } from '../../src/foundation.ts'

test('every migration, rehearsed on a server', async () => {
  const root = join(import.meta.dirname, '../..')
  const foundation = await openFoundation({
    flags: { rehearseOn: inject('serverUrl'), quiet: true },
    configuration: 'load',
    command: 'lint',
    cwd: root,
    variables: {},
    signal: new AbortController().signal,
    version: '0.0.0',
  })
  try {
    const { report } = await foundation.lint({ files: [], scope: 'all' })
    expect(report.rehearsal).toMatchObject({ reason: null, gaps: [expect.stringContaining('a block or a procedure')] })
    expect(report.unjudged).toEqual([])
    expect(report.files).toBeGreaterThanOrEqual(20)
    const open = report.findings.filter(one => one.allowed === null)
    expect(open.map(({ rule, file, line, message }) => `${rule} ${file}:${line} ${message}`)).toEqual([])
    for (const { allowed } of report.findings) expect(allowed?.reason).toMatch(/\w+ \w+/)
  } finally {
    await foundation.close()
  }
})
