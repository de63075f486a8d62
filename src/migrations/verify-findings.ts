/** What verify says of downs that are false, of rows that differ and of a catalog that another apply makes otherwise. */
import { PlinthError } from '../errors.ts'
import type { Difference } from '../schema/diff.ts'
import { label, type Migration } from './migration.ts'

/** Rows that an apply behind a rollback did not bring back as they were. */
export function changedRows(lost: readonly { readonly table: string }[]): PlinthError {
  const names = lost.map(({ table }) => table.replaceAll('"', ''))
  return new PlinthError(
    'VERIFY_FAILED',
    `After everything was taken back and applied again, rows differ in ${names.slice(0, shown).join(', ')}${names.length > shown ? ` and ${names.length - shown} more` : ''}.`,
    {
      hint: 'Look for rows that the up writes with a new key each time, and that its down does not remove.',
      details: { tables: lost },
    },
  )
}

export interface FalseDown {
  readonly migration: Migration
  readonly differences: readonly Difference[]
}

/** The latest first, as they were found. */
export function falseDown({ migration, differences }: FalseDown, others: readonly FalseDown[]): PlinthError {
  const rest = others.map(one => `${label(one.migration)} (${spell(one.differences)})`)
  const neither =
    rest.length === 0 ? '' : ` Neither ${rest.length === 1 ? 'does that' : 'do those'} of ${rest.join('; ')}.`
  return new PlinthError(
    'VERIFY_FAILED',
    `The down of ${label(migration)} does not undo its up: ${spell(differences)}.${neither}`,
    {
      at: { file: migration.down?.file ?? migration.up.file },
      hint: `Correct the down ${others.length === 0 ? 'file' : 'files'} until the catalog is what it was before the up.`,
      details: {
        version: migration.version,
        differences: differences.map(named),
        others: others.map(one => ({ version: one.migration.version, differences: one.differences.map(named) })),
      },
    },
  )
}

/** The same for one difference seen against several catalogs. */
export function keyOf({ change, object, property }: Difference): string {
  return `${change} ${object} ${property ?? ''}`
}

export function changedByRepetition(differences: readonly Difference[]): PlinthError {
  return new PlinthError('VERIFY_FAILED', `Applying everything again makes another catalog: ${spell(differences)}.`, {
    hint: 'Look for a statement whose result depends on what was there before, such as "if not exists".',
    details: { differences: differences.map(named) },
  })
}

const shown = 3

function spell(differences: readonly Difference[]): string {
  const whole = wholes(differences)
  const words = whole
    .slice(0, shown)
    .map(({ change, object, property }) =>
      change === 'changed'
        ? `${property} of ${object} differs`
        : `${object} ${change === 'added' ? 'is left' : 'is missing'}`,
    )
  return words.join(', ') + (whole.length > shown ? ` and ${whole.length - shown} more` : '')
}

/** A table that is left says enough; its columns and keys need no words of their own. */
function wholes(differences: readonly Difference[]): readonly Difference[] {
  const tables = differences.flatMap(({ change, object }) =>
    change !== 'changed' && object.startsWith('table ') ? [`${object.slice('table '.length)}.`] : [],
  )
  return differences.filter(
    ({ object }) => !tables.some(table => object.slice(object.lastIndexOf(' ') + 1).startsWith(table)),
  )
}

/** Definitions may hold literals, so the error names objects and properties only. */
function named({ change, object, property }: Difference) {
  return { change, object, property }
}
