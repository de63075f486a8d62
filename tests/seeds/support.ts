/** What seed tests share: sessions, keys, and packages written on the spot. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Session } from '../../src/engines/engine.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { type KeyProvider, memoryKeys } from '../../src/governance/key-provider.ts'
import { openKeyring } from '../../src/governance/keyring.ts'
import { loadPackage } from '../../src/seeds/load.ts'
import { runSeed, type SeedOptions, type SeedReport } from '../../src/seeds/run.ts'

/** The packages of the platform. */
export const platformPackages = join(import.meta.dirname, '../../db/seeds/operational')

export const seedable = { name: 'test', seedable: true }

export function freshKeys(): KeyProvider {
  return memoryKeys({ master: randomBytes(32), index: randomBytes(32) })
}

/** A session that is closed when the test ends. */
export async function openSession(url: string): Promise<Session> {
  const session = await (await engineOf(url)).open(url)
  onTestFinished(() => session.close())
  return session
}

/** Seeds a package of a folder and answers the report. */
export async function seed(
  url: string,
  options: Partial<SeedOptions> & {
    readonly folder?: string
    readonly name?: string
    readonly keys?: KeyProvider
  } = {},
): Promise<SeedReport> {
  const { folder = platformPackages, name = 'ci', keys = freshKeys(), ...rest } = options
  const session = await openSession(url)
  try {
    return await runSeed(session, await loadPackage(folder, name), {
      environment: seedable,
      protect: async () => openKeyring({ provider: keys, session }),
      secrets: 'discard',
      ...rest,
    })
  } finally {
    await session.close()
  }
}

/** A folder with these files, removed when the test ends. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-seeds-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  return folder
}

/** Counts of a report by table: inserted, updated, unchanged, extra. */
export function counts(report: SeedReport): Record<string, readonly number[]> {
  return Object.fromEntries(
    report.tables.map(({ table, inserted, updated, unchanged, extra }) => [
      table,
      [inserted, updated, unchanged, extra],
    ]),
  )
}
