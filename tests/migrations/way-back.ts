/** What somebody does to a database by hand, and whether the statements that are printed lead back. */
import { expect } from 'vitest'
import type { Session } from '../../src/engines/engine.ts'
import { compareCatalogs } from '../../src/migrations/compare.ts'

/** Does what fits, then what the changes say, and expects the catalog of before. */
export async function thereAndBack(session: Session, done: readonly string[]): Promise<void> {
  const made = await session.introspect()
  for (const deed of done) {
    await session.script('begin')
    await session.script(deed).then(
      () => session.script('commit'),
      () => session.script('rollback'),
    )
  }
  const { live } = compareCatalogs(made, await session.introspect())
  const changes = (await session.engine.writeChanges?.(live, made)) ?? []
  if (changes.length === 0 && done.length === 1) throw new Error('it did nothing that was seen')
  const script = ['begin', ...changes.filter(one => one.kind === 'statement').map(one => one.text), 'commit'].join(
    ';\n',
  )
  await session.script(script).catch(async (error: unknown) => {
    await session.script('rollback')
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${script}`, { cause: error })
  })
  expect(compareCatalogs(made, await session.introspect()).differences, script).toEqual([])
}

/** Each deed by itself; answers what became of those that did not come back. */
export async function failuresOf(session: Session, deeds: readonly string[]): Promise<string> {
  const failures: string[] = []
  for (const deed of deeds) {
    await thereAndBack(session, [deed]).catch((error: unknown) => {
      failures.push(`${deed}: ${error instanceof Error ? error.message.slice(0, 1500) : String(error)}`)
    })
  }
  return failures.join('\n\n')
}
