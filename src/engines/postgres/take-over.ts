/** A schema out of one that was read before and the part that was read again. */
import type { Comment, Schema } from '../../schema/model.ts'
import type { Since } from '../engine.ts'
import { compare, sorted } from './order.ts'

/** What `part` lacks was read with the rest, and is as it was. */
export function takeOver({ schema: before, names, routines }: Since, part: Schema): Schema {
  const stays = ({ schema, name }: { readonly schema: string; readonly name: string }) =>
    !names.has(`${schema}.${name}`)
  const join = <T extends { readonly schema: string; readonly name: string }>(old: readonly T[], now: readonly T[]) =>
    sorted([...old.filter(stays), ...now])
  const ownersStay = ({ object }: { readonly object: string }) => {
    const [kind = ''] = object.split(' ')
    if (kind === 'routine') return routines === 'same'
    return relationKinds.has(kind) && !names.has(object.slice(kind.length + 1))
  }
  const owners = [...(before.owners?.objects ?? []).filter(ownersStay), ...(part.owners?.objects ?? [])]
  return {
    ...part,
    tables: join(before.tables, part.tables),
    views: join(before.views, part.views),
    sequences: join(before.sequences, part.sequences),
    routines: routines === 'same' ? before.routines : part.routines,
    comments: [...(before.comments ?? []).filter(one => !names.has(relationOf(one))), ...(part.comments ?? [])].sort(
      byObject,
    ),
    ...(part.owners ? { owners: { ...part.owners, objects: owners.sort(byObject) } } : {}),
  }
}

/** As the names of owned objects begin; all others are read with every part. */
const relationKinds: ReadonlySet<string> = new Set(['table', 'view', 'sequence'])

function relationOf({ table, object }: Comment): string {
  return table ?? object.slice('sequence '.length)
}

function byObject(a: { readonly object: string }, b: { readonly object: string }): number {
  return compare(a.object, b.object)
}
