/** What is told by the statement that makes it, such as types, rules and publications: what is taken away and made, and when. */
import { inventory } from '../../../schema/diff.ts'
import { type Other, qualified, type Schema, type Table } from '../../../schema/model.ts'
import type { Part } from './parts.ts'
import { literal, mentions, type Name, quoteRole } from './spelling.ts'

/** When its kind is made: before domains, before tables, before views, behind all of them, behind everything. In the order of making. */
const phases = {
  types: ['collation', 'conversion', 'text search dictionary', 'text search configuration', 'type'],
  functions: [
    'operator',
    'operator family',
    'operator class',
    'cast',
    'foreign data wrapper',
    'server',
    'user mapping',
  ],
  tables: ['foreign table'],
  late: ['statistics', 'index', 'rule', 'trigger', 'publication', 'subscription'],
  last: ['event trigger'],
} as const
export type Phase = keyof typeof phases

export interface OtherChanges {
  /** Statements by phase. Of types only those that come back: on the others anything may stand until the end. */
  readonly dropped: Readonly<Record<Phase, readonly string[]>>
  readonly droppedTypes: readonly string[]
  readonly created: Readonly<Record<Phase, readonly string[]>>
  /** Names of those that go and come back, or change what others read of them. */
  readonly gone: readonly Name[]
  /** As differences name them. */
  readonly made: ReadonlySet<string>
}

/** `gone` are types, routines and views that are made anew; `changed` says which phases are looked at. */
export function otherChanges(from: Schema, to: Schema, gone: readonly Name[], looked: readonly Phase[]): OtherChanges {
  const [before, after] = [inOrder(from), inOrder(to)]
  const old = new Map(before.map(one => [idOf(one), one]))
  const now = new Map(after.map(one => [idOf(one), one]))
  const names = [...gone]
  const made = new Set<string>()
  const isLooked = (one: Other): boolean => looked.some(phase => isOf(one, phase))
  for (const one of after.filter(isLooked)) {
    const earlier = old.get(idOf(one))
    const isMade =
      !earlier || earlier.definition !== one.definition || names.some(name => mentions(one.definition, name))
    if (isMade) made.add(idOf(one))
    if (earlier && (isMade || (one.kind === 'foreign table' && settingsOf(from, one) !== settingsOf(to, one))))
      names.push(...nameOf(one))
  }
  const lost = before.filter(one => isLooked(one) && (!now.has(idOf(one)) || made.has(idOf(one)))).toReversed()
  const comesBack = (one: Other): boolean => !isOf(one, 'types') || made.has(idOf(one))
  return {
    dropped: byPhase(phase => lost.filter(one => isOf(one, phase) && comesBack(one)).flatMap(dropOther)),
    droppedTypes: lost.filter(one => !comesBack(one)).flatMap(dropOther),
    created: byPhase(phase => after.filter(one => isOf(one, phase) && made.has(idOf(one))).flatMap(createOther)),
    gone: names.slice(gone.length),
    made,
  }
}

export interface SettingChanges {
  readonly undone: readonly string[]
  readonly made: Readonly<Record<Phase, readonly string[]>>
  /** Of what has a list of its own, such as tables. */
  readonly rest: readonly string[]
}

/** Settings of what is made anew are made again. */
export function settingChanges(
  from: Schema,
  to: Schema,
  made: ReadonlySet<string>,
  ground: { readonly gone: readonly Name[]; readonly parts: readonly Part[]; readonly moved: readonly Table[] },
): SettingChanges {
  const [there, here] = [inventory(to), inventory(from)]
  const others = new Map((to.others ?? []).map(one => [idOf(one), one]))
  const key = (one: { readonly object: string; readonly property: string; readonly value: string }) =>
    JSON.stringify([one.object, one.property, one.value])
  const [old, now] = [new Set((from.settings ?? []).map(key)), new Set((to.settings ?? []).map(key))]
  const anew = new Set([...ground.parts.flatMap(part => part.table ?? part.name ?? []), ...ground.moved].map(qualified))
  const isRedone = (one: NonNullable<Schema['settings']>[number]): boolean =>
    (one.table !== null && !others.has(one.object) && anew.has(one.table)) ||
    ground.gone.some(name => mentions(one.make, name) && !isItself(others.get(one.object), name))
  const stays = (object: string): boolean => there.has(object) && here.has(object) && !made.has(object)
  const undone = (from.settings ?? []).filter(
    one => stays(one.object) && one.undo !== '' && (!now.has(key(one)) || isRedone(one)),
  )
  const wanted = (to.settings ?? []).filter(
    one => there.has(one.object) && (made.has(one.object) || !old.has(key(one)) || isRedone(one)),
  )
  const isOfPhase = (object: string, phase: Phase): boolean => {
    const other = others.get(object)
    return other !== undefined && isOf(other, phase)
  }
  return {
    undone: undone.map(one => one.undo).toReversed(),
    made: byPhase(phase => wanted.filter(one => isOfPhase(one.object, phase)).map(one => one.make)),
    rest: wanted.filter(one => !others.has(one.object)).map(one => one.make),
  }
}

/** Owners that differ, and comments; what was made anew has lost both. */
export function otherRemarks(from: Schema, to: Schema, made: ReadonlySet<string>): string[] {
  const roles = (schema: Schema) => new Map((schema.owners?.objects ?? []).map(({ object, role }) => [object, role]))
  const [before, after] = [roles(from), roles(to)]
  const texts = new Map((to.comments ?? []).map(one => [one.object, one.text]))
  return (to.others ?? []).flatMap(one => {
    const id = idOf(one)
    const isMade = made.has(id)
    const old = isMade ? undefined : from.others?.find(other => idOf(other) === id)
    const role = after.get(id)
    const owner = (isMade ? undefined : before.get(id)) ?? to.owners?.database
    const text = one.comment ?? (isMade ? (texts.get(id) ?? null) : null)
    return [
      ...(role === undefined || role === owner ? [] : [`alter ${one.target} owner to ${quoteRole(role)}`]),
      ...((old?.comment ?? null) === text ? [] : [`comment on ${one.target} is ${literal(text)}`]),
    ]
  })
}

/** What statements cannot say. */
export function otherNotes(from: Schema, to: Schema): string[] {
  const before = new Set((from.others ?? []).map(idOf))
  const made = (to.others ?? []).filter(one => !before.has(idOf(one)))
  const lost = new Set((to.settings ?? []).map(one => `${one.object} ${one.property}`))
  return [
    ...made.flatMap(one =>
      one.kind === 'subscription'
        ? [`The ${idOf(one)} has to be made by hand, since its connection is not told.`]
        : one.kind === 'user mapping'
          ? [`The ${idOf(one)} comes back without its options, which are not told.`]
          : [],
    ),
    ...(from.settings ?? []).flatMap(one =>
      one.object.startsWith('type ') &&
      one.property.startsWith('attribute ') &&
      !lost.has(`${one.object} ${one.property}`)
        ? [`The ${one.property} of ${one.object} goes with its values.`]
        : [],
    ),
  ]
}

function byPhase<T>(work: (phase: Phase) => T): Record<Phase, T> {
  return {
    types: work('types'),
    functions: work('functions'),
    tables: work('tables'),
    late: work('late'),
    last: work('last'),
  }
}

function createOther({ kind, definition }: Other): string[] {
  return kind === 'subscription' ? [] : [definition]
}

/** Without its slot, which is the other server's, a subscription can go within a transaction. */
function dropOther({ kind, target }: Other): string[] {
  if (kind !== 'subscription') return [`drop ${target}`]
  return [`alter ${target} disable`, `alter ${target} set (slot_name = none)`, `drop ${target}`]
}

/** In an order in which they can be made; of one kind, what another names comes first. */
function inOrder({ others = [] }: Schema): Other[] {
  const kinds: readonly string[] = Object.values(phases).flat()
  const sorted = others.toSorted((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind))
  const done = new Set<Other>()
  const visit = (one: Other): void => {
    if (done.has(one)) return
    done.add(one)
    for (const other of sorted)
      if (other !== one && other.kind === one.kind && nameOf(other).some(name => mentions(one.definition, name)))
        visit(other)
    placed.push(one)
  }
  const placed: Other[] = []
  for (const one of sorted) visit(one)
  return placed
}

function isOf({ kind }: Other, phase: Phase): boolean {
  const kinds: readonly string[] = phases[phase]
  return kinds.includes(kind)
}

function idOf({ kind, name }: Other): string {
  return `${kind} ${name}`
}

/** As definitions of others name it; none for what they name without a schema. */
function nameOf({ schema, name }: Other): Name[] {
  return schema === null ? [] : [{ schema, name: name.slice(schema.length + 1).replace(/\([^()]*\)$| using \S+$/, '') }]
}

function isItself(other: Other | undefined, name: Name): boolean {
  return other !== undefined && nameOf(other).some(own => qualified(own) === qualified(name))
}

function settingsOf({ settings = [] }: Schema, other: Other): string {
  return JSON.stringify(settings.filter(one => one.object === idOf(other)).map(one => one.make))
}
