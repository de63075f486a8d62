/** The option that accepts a loss by name: the same words for apply, rollback and redo. */
import { type Context, type OptionSpec, text } from '../command.ts'

export const acceptLossOption: OptionSpec = {
  flags: '--accept-loss <version>',
  description: 'run it although data would be lost for good: a version, several with commas, or all',
}

/** Throws USAGE for what is no version. */
export function acceptedLoss(context: Context): readonly string[] | 'all' | undefined {
  const given = text(context, 'acceptLoss')
  if (given === undefined || given === 'all') return given
  const versions = given.split(',').map(one => one.trim())
  if (versions.every(one => /^(?:\d+(?:\.\d+)*|R__.+)$/.test(one))) return versions
  throw new RangeError('--accept-loss takes versions, separated by commas, or all')
}
