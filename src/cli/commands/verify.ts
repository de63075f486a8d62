import { PlinthError } from '../../errors.ts'
import type { RestoreReport } from '../../migrations/preserve/store.ts'
import type { VerifiedData, VerifyReport } from '../../migrations/verify.ts'
import type { CommandSpec } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'

export const verify: CommandSpec = {
  name: 'verify',
  summary: 'prove on a scratch database that every down undoes its up',
  description:
    'Applies all migrations to an empty scratch database, takes them back one by one, applies them again, and compares the catalog at each step. The database of the track is neither read nor changed.',
  group: 'migrations',
  examples: [
    'plinth verify',
    'plinth verify --track operational',
    'plinth verify --dir ./migrations --database postgres://me@localhost/mydb',
  ],
  async run({ foundation }) {
    const tracks = await foundation.verify()
    const broken = tracks.find(({ result }) => result.error)?.result.error
    const data = {
      tracks: tracks.map(({ track, result: { error, ...report } }) => ({ track, report, error: error?.code ?? null })),
    }
    if (broken)
      throw new PlinthError(broken.code, broken.message, {
        at: broken.at,
        hint: broken.hint,
        sqlState: broken.sqlState,
        details: { ...broken.details, ...data },
        cause: broken,
      })
    const text = tracks.map(({ track, result }) => {
      const rows = result.steps.map(step => [
        step.version,
        step.slug,
        duration(step.upMs),
        step.downMs === null ? '' : duration(step.downMs),
        paint.green('equal'),
        step.lossClass ?? 'not judged',
        step.restored
          .filter(one => one.kind !== 'sequence')
          .map(describeProof)
          .join(', '),
      ])
      return `${paint.bold(track)}: ${count(result.steps.length, 'migration')} applied, taken back and applied again in ${duration(result.durationMs)}; every catalog is equal.\n${table(['version', 'name', 'up', 'down', 'catalog', 'loses', 'rows before = after'], rows)}${describeData(result.data)}${describeRepeatables(result.repeatables)}`
    })
    return { data, text: text.join('\n\n') }
  },
}

/** Rows and digest of what was destroyed and of what came back, which are the same here. */
function describeProof({ source, before, after }: RestoreReport): string {
  const equal = before.rows === after.rows && before.digest === after.digest ? '=' : '≠'
  return `${source.replaceAll('"', '')} ${before.rows} ${short(before.digest)} ${equal} ${after.rows} ${short(after.digest)}`
}

function describeData({ sampled, refused, spared, tables }: VerifiedData): string {
  if (tables.length === 0) return ''
  const rows = tables.reduce((sum, { before }) => sum + before.rows, 0)
  const without = refused
    ? `\n! The rows made for it did not go down, so none were made: ${refused.message} (${refused.at?.file ?? ''}:${refused.at?.line ?? ''})`
    : ''
  const found =
    spared.length > 0
      ? `\n! The migrations change or take the rows that they find in ${spared.join(', ')}: none were made there, and what users write there changes when they are applied again.`
      : ''
  return `${without}${found}\n${count(rows, 'row')} in ${count(tables.length, 'table')} went down and came up again, ${count(sampled.length, 'table')} of them with rows made for it; every digest is equal.`
}

function describeRepeatables(repeatables: VerifyReport['repeatables']): string {
  if (repeatables.length === 0) return ''
  const rows = repeatables.map(one => [
    one.version,
    duration(one.firstMs),
    one.againMs === null ? '' : duration(one.againMs),
  ])
  return `\n${count(repeatables.length, 'repeatable')} ran behind them, and once more over what ${repeatables.length === 1 ? 'it' : 'they'} made.\n${table(['repeatable', 'first', 'again'], rows)}`
}

function short(digest: string): string {
  return BigInt.asUintN(64, BigInt(digest)).toString(16).padStart(16, '0').slice(0, 8)
}
