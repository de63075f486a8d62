/** Statements that ask for what the target's server is too old for: said before a run, and where one fails for it. */
import { PlinthError } from '../errors.ts'
import { type Newer, newerThan } from '../sql/newer.ts'
import type { Script, Statement } from '../sql/parse.ts'
import type { Planned } from './plan.ts'

/** One sentence a statement. */
export function newerNotices({ plan, scripts }: Planned, serverVersion: number): string[] {
  return plan.steps.flatMap(({ version, slug }) =>
    (scripts.get(version)?.script.statements ?? []).flatMap(statement => {
      const newer = newerThan(serverVersion, statement.tree)
      const place = `${version}_${slug} ${plan.direction === 'up' ? '' : 'down '}line ${statement.line}`
      return newer.length === 0 ? [] : [`${place}: ${sentence(newer, serverVersion)}`]
    }),
  )
}

/** The same failure, with the reason as its next step where that is why the server did not understand. */
export function explainNewer(error: PlinthError, script: Script, serverVersion: number): PlinthError {
  if (!misunderstood.test(error.sqlState ?? '')) return error
  const newer = newerThan(serverVersion, statementOf(error, script)?.tree)
  if (newer.length === 0) return error
  const { code, message, at, sqlState, details } = error
  const hint = `${sentence(newer, serverVersion)} Write it in another way, or upgrade the server.`
  return new PlinthError(code, message, { at, sqlState, details, hint, cause: error })
}

/** Words that a server does not know, or parameters, or that it knows and cannot do yet. */
const misunderstood = /^(42|22023|0A000)/

function statementOf({ details, at }: PlinthError, { statements }: Script): Statement | undefined {
  const index = details?.['statement']
  if (typeof index === 'number') return statements[index]
  return statements.findLast(({ line }) => line <= (at?.line ?? 0))
}

function sentence(newer: readonly Newer[], serverVersion: number): string {
  const since = Math.max(...newer.map(one => one.since))
  const what = newer.map(one => `"${one.what}"`).join(' and ')
  return `${what} ${newer.length === 1 ? 'needs' : 'need'} PostgreSQL ${since}, and the server is ${serverVersion}.`
}
