/**
 * Each major version of PostgreSQL writes the text of a view, a check or a policy down in its own way, and a text that was written down and read again, as a
 * dump does, may lose brackets. Where a database and the scratch server differ in such texts, the one that the database gives is run on the scratch server,
 * which then spells it as it spells its own, or as it spells its own when it reads that again.
 */
import { withRollback } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { asPlinthError } from '../errors.ts'
import { diffSchemas, inventory, mapObjects } from '../schema/diff.ts'
import type { Schema } from '../schema/model.ts'

/** Properties that are written down anew from what the server keeps, by kind of object. */
const spelled: Readonly<Record<string, readonly string[]>> = {
  check: ['definition'],
  column: ['default', 'generated'],
  domain: ['definition'],
  exclusion: ['definition'],
  index: ['columns', 'definition', 'predicate'],
  policy: ['using', 'withCheck'],
  routine: ['definition'],
  rule: ['definition'],
  statistics: ['definition'],
  trigger: ['definition'],
  view: ['definition'],
}

/**
 * `live` with those texts in `made`'s spelling that make the same there. The session's database holds what `made` shows once `prepare` has
 * run; it is left as it was. A text that cannot be run there stays as it is.
 */
export async function respelled(
  session: Session,
  made: Schema,
  live: Schema,
  prepare: () => Promise<void>,
): Promise<Schema> {
  const objects = unlike(made, live)
  const equal = await sameThere(session, made, live, objects, prepare)
  const own = inventory(made)
  return mapObjects(live, (object, part) =>
    equal.has(object) ? { ...part, ...textsOf(object, own.get(object)) } : part,
  )
}

/** Objects of both whose texts differ. */
function unlike(made: Schema, live: Schema): Set<string> {
  const differing = diffSchemas(made, live).filter(
    ({ change, object, property }) => change === 'changed' && (spelled[kindOf(object)] ?? []).includes(property),
  )
  return new Set(differing.map(({ object }) => object))
}

/** Those whose text of `live` makes what `made` shows: all at once, or one by one where one of them cannot be run. */
async function sameThere(
  session: Session,
  made: Schema,
  live: Schema,
  objects: ReadonlySet<string>,
  prepare: () => Promise<void>,
): Promise<Set<string>> {
  if (objects.size === 0) return new Set()
  const remade = await remake(session, made, live, objects, prepare)
  if (remade !== null) {
    const [own, theirs, again] = [made, remade.theirs, remade.own].map(inventory)
    const textOf = (from: typeof own, object: string) => JSON.stringify(textsOf(object, from?.get(object)))
    return new Set(
      [...objects].filter(object => [own, again].some(one => textOf(one, object) === textOf(theirs, object))),
    )
  }
  const equal = new Set<string>()
  if (objects.size === 1) return equal
  for (const object of objects)
    for (const one of await sameThere(session, made, live, new Set([object]), prepare)) equal.add(one)
  return equal
}

/** The catalog once these objects are made by their texts in `live`, and by their own ones after that; null where the server refuses one. */
async function remake(
  session: Session,
  made: Schema,
  live: Schema,
  objects: ReadonlySet<string>,
  prepare: () => Promise<void>,
): Promise<{ readonly theirs: Schema; readonly own: Schema } | null> {
  const theirs = inventory(live)
  const wanted = mapObjects(made, (object, part) =>
    objects.has(object) ? { ...part, ...textsOf(object, theirs.get(object)) } : part,
  )
  const statementsOf = async (from: Schema, to: Schema) =>
    ((await session.engine.writeChanges?.(from, to)) ?? []).filter(({ kind }) => kind === 'statement')
  const there = await statementsOf(made, wanted)
  const back = await statementsOf(wanted, made)
  if (there.length === 0) return null
  return withRollback(session, async () => {
    await prepare()
    for (const { text } of there) await session.query(text)
    const first = await session.introspect()
    for (const { text } of back) await session.query(text)
    return { theirs: first, own: await session.introspect() }
  }).catch((thrown: unknown) => {
    if (asPlinthError(thrown).sqlState === undefined) throw thrown
    return null
  })
}

function textsOf(
  object: string,
  part: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> {
  const names = spelled[kindOf(object)] ?? []
  return part === undefined ? {} : Object.fromEntries(names.map(name => [name, part[name]]))
}

/** The first word of an object as differences name it. */
function kindOf(object: string): string {
  return object.slice(0, object.indexOf(' '))
}
