/** Which repeatables a run brings up to date: behind its versions, in the order of their names, those that changed since they last ran. Pure. */
import { hasChanged } from './checksum.ts'
import { readDirectives } from './directives.ts'
import { compareVersions, type Migration, type MigrationFolder, type VersionHistory, versionKey } from './migration.ts'
import { isDue } from './repeat-due.ts'
import { type Choice, resumable, type Selection } from './select.ts'

/** `every` runs those that did not change as well, `none` leaves all as they are. */
export type RepeatWish = 'when changed' | 'every' | 'none'

export interface RepeatInput {
  readonly folder: MigrationFolder
  readonly history: readonly VersionHistory[]
  /** What is known of repeatables; see `Standing`. */
  readonly repeatables: readonly VersionHistory[]
  readonly wish: RepeatWish
}

/** Of a selection upwards. While versions are pending that it leaves out, a repeatable may need what they make, so it waits. */
export function withRepeatables(selection: Selection, input: RepeatInput): Selection {
  if (selection.direction !== 'up' || input.wish === 'none') return selection
  const due = dueRepeatables(input)
  if (due.length === 0) return selection
  const obstacle = obstacleTo(selection, input)
  if (obstacle === null) return { ...selection, choices: [...selection.choices, ...due] }
  const names = due.map(({ version }) => version).join(', ')
  return {
    ...selection,
    notices: [...selection.notices, `${names} ${due.length === 1 ? 'waits' : 'wait'}: ${obstacle}`],
  }
}

export function runsAlways({ repeats, up }: Migration): boolean {
  return repeats === 'always' || readDirectives(up.text, up.file).repeat === 'always'
}

function dueRepeatables({ folder, repeatables, wish }: RepeatInput): Choice[] {
  const known = new Map(repeatables.map(one => [one.version, one]))
  return (folder.repeatables ?? []).flatMap((migration): Choice[] => {
    const { version, slug } = migration
    const history = known.get(version) ?? null
    if (wish !== 'every' && !isDue(migration, history) && !runsAlways(migration)) return []
    // Another text begins anew: it is made to run over whatever an earlier one left.
    const isSame = !hasChanged(migration.up, history?.unfinished?.upChecksum ?? '')
    const resumes = isSame ? resumable(history, 'up') : null
    return [{ version, slug, direction: 'up', migration, history, source: 'file', resumes }]
  })
}

/** An older release beside a newer one would put its own text in the place of the newer one's. */
function obstacleTo({ choices }: Selection, { folder, history }: RepeatInput): string | null {
  const done = new Set(
    [...choices, ...history.filter(one => one.state === 'applied')].map(({ version }) => versionKey(version)),
  )
  if (folder.migrations.some(({ version }) => !done.has(versionKey(version)))) return 'versions stay pending.'
  const newest = folder.migrations.at(-1)?.version
  const isAhead = history.some(
    one => one.state === 'applied' && (newest === undefined || compareVersions(one.version, newest) > 0),
  )
  return isAhead ? 'the database is ahead of the folder.' : null
}
