/** Differences between what migrations make and what a database has, in words. Definitions may hold literals, so only names are told. */
import type { Difference } from '../schema/diff.ts'

/** `table public.a is not in the database`, and so on; the first ones, and how many more. */
export function spellDifferences(differences: readonly Difference[], shown = 8): string {
  const whole = wholes(differences)
  const words = whole.slice(0, shown).map(spellDifference)
  return words.join(', ') + (whole.length > shown ? ` and ${whole.length - shown} more` : '')
}

export function spellDifference({ change, object, property }: Difference): string {
  if (change === 'changed') return `${property} of ${object} differs`
  return change === 'added' ? `${object} is only in the database` : `${object} is missing in the database`
}

/** A table that is there or not says enough; its columns and keys need no words of their own. */
export function wholes(differences: readonly Difference[]): readonly Difference[] {
  const tables = differences.flatMap(({ change, object }) =>
    change !== 'changed' && object.startsWith('table ') ? [`${object.slice('table '.length)}.`] : [],
  )
  return differences.filter(
    ({ object }) => !tables.some(table => object.slice(object.lastIndexOf(' ') + 1).startsWith(table)),
  )
}
