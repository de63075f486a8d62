/** Why a selection is refused, in words that name the migration, its file and the next step. */
import { PlinthError } from '../errors.ts'
import { type Attempt, label, type Migration, type VersionHistory } from './migration.ts'

export function downMissing(migration: Migration): PlinthError {
  if (migration.upOnly) return irreversible(migration)
  const file = migration.up.file.replace(/\.up\.sql$/, '.down.sql')
  return new PlinthError('DOWN_MISSING', `${label(migration)} has no down file.`, {
    at: { file },
    hint: `Write ${file}; leave it empty, with a comment that says why, when there is nothing to undo.`,
  })
}

/** A layout without downs has them nowhere else to be written. */
function irreversible(migration: Migration): PlinthError {
  return new PlinthError('DOWN_MISSING', `${label(migration)} cannot be rolled back: it has no down.`, {
    at: { file: migration.up.file },
    hint: 'Write one where its layout has a place for it (a section of the file, U<version>__<name>.sql, down.sql, <version>_<name>.down.sql), or write a new migration that undoes it.',
    details: { version: migration.version },
  })
}

export function fileGone(one: VersionHistory): PlinthError {
  return new PlinthError(
    'FILE_GONE',
    `${label(one)} is ${one.state === 'applied' ? 'applied' : 'half applied'}, but its file is not in the folder any more.`,
    {
      at: { object: label(one) },
      hint: 'Restore the file from version control. A rollback does not need it: it uses the SQL that was kept.',
      details: { version: one.version, appliedAt: one.applied?.finishedAt ?? null },
    },
  )
}

export function checksumChanged(
  one: VersionHistory,
  file: string | undefined,
  changed: readonly VersionHistory[],
): PlinthError {
  const attempt = one.applied
  return new PlinthError(
    'CHECKSUM_CHANGED',
    `${label(one)} was edited after it was applied${attempt ? ` at ${attempt.finishedAt ?? attempt.startedAt} by ${attempt.actor}` : ''}.`,
    {
      ...(file === undefined ? {} : { at: { file } }),
      hint: 'Restore the file as it was, and write a new migration for the change.',
      details: {
        version: one.version,
        appliedAt: attempt?.finishedAt ?? null,
        appliedBy: attempt?.actor ?? null,
        changed: changed.map(other => other.version),
      },
    },
  )
}

/** `file` has the number under which the other one was applied, which is `now` in the folder. */
export function shifted(one: VersionHistory, file: Migration, now: Migration): PlinthError {
  return new PlinthError(
    'OUT_OF_ORDER',
    `${label(one)} was applied as ${one.version} and would be ${now.version} by now, since ${label(file)} came before it.`,
    {
      at: { file: file.up.file },
      hint: 'Give the one that came a number or a place behind all that are applied.',
      details: { version: one.version, files: [file.up.file, now.up.file] },
    },
  )
}

export function interruptedRollback(one: VersionHistory, attempt: Attempt): PlinthError {
  return new PlinthError(
    'STEP_INTERRUPTED',
    `The rollback of ${label(one)} stopped after ${attempt.cursor} statements.`,
    {
      at: { object: label(one) },
      hint: 'Finish it first: plinth rollback --steps 1 goes on where it stopped.',
      details: { version: one.version, cursor: attempt.cursor },
    },
  )
}
