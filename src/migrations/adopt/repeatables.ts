/** What another tool's history says of repeatables: one that ran as the file has it is taken over, one that has changed since runs behind the next apply. */
import type { Difference } from '../../schema/diff.ts'
import { openParser } from '../../sql/parse.ts'
import { objectsOf } from '../dependents-names.ts'
import type { Migration, MigrationFolder } from '../migration.ts'
import type { ForeignHistory, ForeignRow } from './tool.ts'

export interface ForeignRepeatables {
  /** Those that ran there, whatever they said then; null where the tool has none. */
  readonly ran: readonly Migration[] | null
  /** Those that still say what ran. */
  readonly same: readonly { readonly migration: Migration; readonly row: ForeignRow }[]
  readonly changed: readonly Migration[]
  readonly notices: readonly string[]
}

export function repeatablesOf(folder: MigrationFolder, { repeatables }: ForeignHistory): ForeignRepeatables {
  const rows = new Map((repeatables ?? []).map(row => [row.version, row]))
  const known = (folder.repeatables ?? []).flatMap(migration => {
    const row = rows.get(migration.version)
    return row ? [{ migration, row }] : []
  })
  const same = known.filter(({ migration, row }) => row.unchanged(migration.up))
  const changed = known.filter(({ migration, row }) => !row.unchanged(migration.up)).map(({ migration }) => migration)
  const names = changed.map(({ version }) => version).join(', ')
  return {
    ran: repeatables ? known.map(({ migration }) => migration) : null,
    same,
    changed,
    notices:
      changed.length === 0
        ? []
        : [
            `${names}: the checksum says that another text ran there, so the next apply runs the file, and nothing of it is proved.`,
          ],
  }
}

/** Nobody has the text that made those objects, and the next apply makes them anew. */
export async function withoutChanged(
  differences: readonly Difference[],
  changed: readonly Migration[],
): Promise<readonly Difference[]> {
  if (changed.length === 0 || differences.length === 0) return differences
  const parse = await openParser('postgres')
  const made = new Set(changed.flatMap(({ up }) => objectsOf(parse(up.text, up.file))).map(lastPart))
  return differences.filter(({ object }) => !wordsIn(object).some(word => made.has(word)))
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

/** Of `view public.people`, without the kind of object. */
function wordsIn(object: string): string[] {
  return object.slice(object.indexOf(' ') + 1).match(/[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []
}
