/** Golden files: what a renderer makes is kept in the repository and read by people. `UPDATE_GOLDEN=1` writes them anew. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'

/** Compares with `tests/golden/<name>`; with UPDATE_GOLDEN=1 writes it instead. */
export function expectGolden(name: string, content: string): void {
  const file = join(import.meta.dirname, '../golden', name)
  if (process.env['UPDATE_GOLDEN']) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  expect(content, `differs from tests/golden/${name}; look at the difference, then run with UPDATE_GOLDEN=1`).toBe(
    readGolden(file),
  )
}

function readGolden(file: string): string {
  try {
    return readFileSync(file, 'utf8').replaceAll('\r\n', '\n')
  } catch {
    return ''
  }
}
