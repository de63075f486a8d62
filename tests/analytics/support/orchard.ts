/** A project of seeds, hooks, packages, versions, increments and snapshots that knows nothing of Plinth, run by Plinth. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { loadProject } from '../../../src/analytics/project/load.ts'
import type { Project } from '../../../src/analytics/project/project.ts'
import { type RollupReport, runRollup } from '../../../src/analytics/run/run.ts'
import { withSession } from '../../../src/engines/brackets.ts'
import { duckdb } from '../../../src/engines/duckdb/index.ts'
import type { Row, Session } from '../../../src/engines/engine.ts'
import { postgres } from '../../../src/engines/postgres/index.ts'
import { emit } from './project.ts'

export interface Orchard {
  readonly folder: string
  /** Of the warehouse. */
  readonly file: string
  load(): Promise<Project>
  run(change?: { readonly mode?: 'changes' | 'rebase'; readonly select?: ReadonlySet<string> }): Promise<RollupReport>
  on<T>(work: (session: Session) => Promise<T>): Promise<T>
  ask<R = Row>(text: string): Promise<R[]>
  /** Lets a season pass: one branch changed, one is gone, one is new. */
  change(): void
}

export function makeOrchard(): Orchard {
  const root = mkdtempSync(join(tmpdir(), 'plinth-orchard-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const folder = join(root, 'orchard')
  cpSync(join(import.meta.dirname, '../orchard'), folder, { recursive: true })
  const file = join(root, 'orchard.duckdb')
  const url = `duckdb:${file}`
  const load = () => loadProject(folder, { root, surroundings: { database: 'orchard' } })
  const on = <T>(work: (session: Session) => Promise<T>) => withSession(duckdb, url, { waitMs: 10_000 }, work)
  return {
    folder,
    file,
    load,
    run: async (change = {}) =>
      runRollup(await load(), {
        source: { engine: postgres, url: 'postgres://nobody.invalid/none' },
        warehouse: { engine: duckdb, url },
        emit,
        runId: 'orchard',
        owner: 'a test',
        ...change,
      }),
    on,
    ask: <R>(text: string) => on(async session => (await session.query<R>(text)).rows),
    change: () => writeFileSync(join(folder, 'seeds/branches.csv'), laterBranches),
  }
}

const laterBranches = `id,state,changed_at
1,leaf,2026-04-05 08:00:00
2,bud,2026-04-01 08:00:00
4,bud,2026-04-06 08:00:00
`
