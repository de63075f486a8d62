/** A statement that runs outside of transactions holds its locks only while it works, so they are looked at from outside. */
import type { LockMode } from '../../schema/rehearsal.ts'
import type { Statement } from '../../sql/parse.ts'
import type { Stage } from './run-script.ts'

export type SeenLock = readonly [oid: number, mode: LockMode]

export async function runBare(
  _stage: Stage,
  _statement: Statement,
  work: () => Promise<void>,
): Promise<readonly SeenLock[]> {
  await work()
  return []
}
