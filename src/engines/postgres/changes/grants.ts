/** Privileges: what is too much is revoked first, then what is missing is granted. */
import type { Grant } from '../../../schema/model.ts'
import { quoteName, quoteRole } from './spelling.ts'

/** `object` is as GRANT names it, such as `table "a"."b"`. `columns` are those that the object has in the end. */
export function grantChanges(
  object: string,
  from: readonly Grant[],
  to: readonly Grant[],
  columns: readonly string[] = [],
): string[] {
  const [before, after] = [privilegesOf(from, columns), privilegesOf(to, columns)]
  const revoked = before.filter(one => !after.some(other => isSame(one, other)))
  const granted = after.filter(
    one =>
      !before.some(other => isSame(one, other)) ||
      // Revoking a privilege on the table takes the same on each column as well.
      revoked.some(gone => gone.column === null && gone.role === one.role && gone.word === one.word),
  )
  return [
    ...revoked.map(one => `revoke ${spell(one)} on ${object} from ${quoteRole(one.role)}`),
    ...granted.map(
      one => `grant ${spell(one)} on ${object} to ${quoteRole(one.role)}${one.grantable ? ' with grant option' : ''}`,
    ),
  ]
}

interface Privilege {
  readonly role: string
  readonly word: string
  readonly column: string | null
  readonly grantable: boolean
}

/** One entry a privilege and column; `select (a, b)` is two. */
function privilegesOf(grants: readonly Grant[], columns: readonly string[]): Privilege[] {
  return grants.flatMap(({ role, privileges }) =>
    privileges.flatMap((text): Privilege[] => {
      const [, word = '', option, list] = /^([a-z ]+?)( with grant option)?(?: \((.*)\))?$/.exec(text) ?? []
      const grantable = option !== undefined
      if (list === undefined) return [{ role, word, column: null, grantable }]
      const named = columns.filter(column => list.split(', ').includes(column))
      return named.map(column => ({ role, word, column, grantable }))
    }),
  )
}

function isSame(a: Privilege, b: Privilege): boolean {
  return a.role === b.role && a.word === b.word && a.column === b.column && a.grantable === b.grantable
}

function spell({ word, column }: Privilege): string {
  return column === null ? word : `${word} (${quoteName(column)})`
}
