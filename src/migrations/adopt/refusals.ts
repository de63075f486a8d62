/** Why a history is not taken over, in words that name what differs and the next step. */
import type { Session } from '../../engines/engine.ts'
import { asPlinthError, nearest, PlinthError } from '../../errors.ts'
import type { Difference } from '../../schema/diff.ts'
import type { MigrationFolder } from '../migration.ts'
import { spellDifferences } from '../spell.ts'
import type { FoundHistory } from './find.ts'
import type { Proof } from './prove.ts'
import type { ForeignHistory } from './tool.ts'

export function filesMissing(versions: readonly string[], table: string): PlinthError {
  return new PlinthError(
    'FILE_GONE',
    `${table} says that ${versions.join(', ')} is applied, and no file has that version.`,
    {
      at: { object: table },
      hint: 'Restore the files from version control, or say with plinth baseline VERSION where the files that are left begin.',
      details: { versions },
    },
  )
}

/** A tool came to a database that had tables already, and what it did later needs them. */
export function baselineWithoutFiles(version: string, found: FoundHistory | null, cause: unknown): PlinthError {
  const error = asPlinthError(cause)
  return new PlinthError(
    'FILE_GONE',
    `${found?.table ?? 'The history'} begins with a baseline at ${version}, and the files up to it do not make what later files need: ${error.message}`,
    {
      at: error.at ?? { object: found?.table ?? version },
      hint: `Write what the database had at its baseline as the file of version ${version}, for instance from pg_dump --schema-only, and run it again; it is proved and not run.`,
      details: { version },
      cause,
    },
  )
}

export function versionNotThere(version: string, known: readonly { readonly version: string | null }[]): PlinthError {
  const versions = known.flatMap(one => one.version ?? [])
  const guess = nearest(version, versions)
  return new PlinthError(
    'VERSION_UNKNOWN',
    `The database cannot be at ${version}: ${versions.join(', ')} would be possible.`,
    {
      hint: guess ? `Did you mean ${guess}?` : 'Name one of those.',
      details: { versions },
    },
  )
}

/** Two meanings make the same catalog, so that only somebody who looks at the rows can tell. */
export function undecided(meaning: string, one: string | null, other: string | null): PlinthError {
  const versions = [one, other].map(version => version ?? 'nothing applied')
  return new PlinthError(
    'ADOPT_MISMATCH',
    `${meaning} The catalog cannot tell: ${versions.join(' and ')} make the same one.`,
    {
      hint: `Look whether the rows that it writes are there, then say it: plinth adopt --at ${other ?? one ?? ''}, or the earlier one.`,
      details: { versions },
    },
  )
}

export interface Mismatch {
  readonly session: Session
  readonly found: FoundHistory | null
  readonly history: ForeignHistory
  readonly folder: MigrationFolder
  /** The nearest meaning. */
  readonly proof: Proof
  readonly differences: readonly Difference[]
  /** It could have been meant in several ways. */
  readonly several: boolean
}

export function mismatch({ session, found, history, folder, proof, differences, several }: Mismatch): PlinthError {
  const claim = `${session.address} is not at ${proof.version ?? 'nothing applied'}`
  const notices = [...folder.warnings, ...history.notices]
  const perhaps = notices.length > 0 ? `It may be of weight: ${notices.join(' ')} ` : ''
  const meaning = history.doubt ? `${history.doubt.meaning} ` : ''
  return new PlinthError(
    'ADOPT_MISMATCH',
    `${meaning}${claim}, as ${several ? 'the nearest meaning of ' : ''}${found?.table ?? 'the baseline'} has it: ${spellDifferences(differences)}. Nothing was written.`,
    {
      at: { object: found?.table ?? session.address },
      hint: `${perhaps}${
        several
          ? 'Finish by hand what was half done or take it back, then run it again; or say the version with --at and take the rest over with --accept-drift.'
          : 'Bring the database or the files to what ran, or take the differences over knowingly with --accept-drift.'
      }`,
      details: {
        version: proof.version,
        differences: differences.map(({ change, object, property }) => ({ change, object, property })),
      },
    },
  )
}
