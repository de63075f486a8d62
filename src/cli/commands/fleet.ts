/** What a command did on every database of the fleet, for people and for machines. */
import type { FleetReport, MemberReport, MemberStatus } from '../../migrations/fleet.ts'
import { type Context, type Outcome, text } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'

/** Throws USAGE when a database is named as well. */
export function isAll(context: Context): boolean {
  if (context.options['all'] !== true) return false
  if (text(context, 'database') !== undefined) throw new RangeError('--all and --database exclude each other')
  return true
}

/** `verb` says what happened to the migrations that are counted: `open` for a status, `planned` for a preview. */
export function fleetOutcome(report: FleetReport, verb: 'applied' | 'taken back' | 'planned' | 'open'): Outcome {
  const { databases, counts, durationMs } = report
  const rows = databases.map(one => [
    one.name + (one.name === report.canary && databases.length > 1 ? ' (canary)' : ''),
    one.schema === null ? one.address : `${one.address} ${one.schema}`,
    wayOf(one),
    words(one, verb),
    one.status === 'skipped' ? '' : duration(one.durationMs),
    one.error?.code ?? '',
  ])
  const failures = databases.filter(({ error }) => error !== null)
  return {
    data: { fleet: report },
    text: [
      table(['database', 'address', 'version', 'status', 'took', 'error'], rows),
      ...failures.map(one => `${paint.red(`✗ ${one.name}`)}  ${one.error?.code}${placeOf(one)}: ${one.error?.message}`),
      `${paint.bold(report.track)} on ${count(databases.length, 'database')}: ${summary(report, verb)} in ${duration(durationMs)}.`,
      ...(counts.skipped > 0 ? [paint.yellow(`Those that were skipped were not begun; run it again to go on.`)] : []),
    ]
      .filter(Boolean)
      .join('\n'),
    exit: exitOf(report, verb),
    warnings: databases.length === 0 ? ['The fleet has no databases.'] : [],
  }
}

function exitOf({ status }: FleetReport, verb: string): number {
  if (status === 'interrupted') return 130
  if (status === 'failed') return 1
  return verb === 'open' && status !== 'nothing-to-do' ? 3 : 0
}

function wayOf({ from, to, status }: MemberReport): string {
  if (status === 'skipped' || (from === null && to === null && status === 'failed')) return ''
  return from === to ? (to ?? 'empty') : `${from ?? 'empty'} → ${to ?? 'empty'}`
}

function words({ status, stepsDone }: MemberReport, verb: string): string {
  if (status === 'succeeded') return (verb === 'open' ? paint.yellow : paint.green)(`${stepsDone} ${verb}`)
  if (status === 'nothing-to-do') return verb === 'open' ? paint.green('all applied') : 'nothing to do'
  return (status === 'skipped' ? paint.yellow : paint.red)(stepsDone > 0 ? `${status} after ${stepsDone}` : status)
}

function placeOf({ error }: MemberReport): string {
  return error?.file == null ? '' : ` at ${error.file}${error.line === null ? '' : `:${error.line}`}`
}

function summary({ counts }: FleetReport, verb: string): string {
  const done = verb === 'open' ? 'with something open' : verb === 'planned' ? 'with something to do' : 'changed'
  const names: Readonly<Record<MemberStatus, string>> = {
    succeeded: done,
    'nothing-to-do': 'with nothing to do',
    failed: 'failed',
    interrupted: 'interrupted',
    skipped: 'skipped',
  }
  const parts = Object.entries(counts).filter(([, amount]) => amount > 0)
  return parts.map(([status, amount]) => `${amount} ${names[status as MemberStatus]}`).join(', ') || 'nothing to do'
}
