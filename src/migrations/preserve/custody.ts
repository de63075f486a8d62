/** What one transaction of a step is told, has seen and has kept so far. Its parts are in care.ts, in the order in which they come. */
import type { Parameterized, Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Statement } from '../../sql/parse.ts'
import type { Capture } from './capture.ts'
import type { LossClass } from './class.ts'
import type { RestoreWish } from './apart.ts'
import type { Policy } from './images.ts'
import type { Restarted } from './numbers.ts'
import type { Origin } from './shape.ts'
import { ident, namesArray } from './text.ts'
import type { Relation, Trace, Witness } from './witness.ts'
import type { Subject, Writer } from './writer.ts'

export interface CareOptions {
  readonly policy: Policy
  /** The loss of this version was accepted by name. */
  readonly lossAccepted: boolean
  readonly tenantColumn: string
  /** Whether the opposite step left an archive, as far as the run knows: asking for each step costs as much as a small one. */
  readonly owed: 'nothing' | 'something'
  /** More than that is not copied; null sets no limit but the disk. */
  readonly archiveBytesMax: number | null
  /** How dropped columns come back. */
  readonly restore: RestoreWish
  /** Bare names of columns and sequences that stand elsewhere as well, and are not kept. */
  readonly redundant?: readonly string[]
  /** Whether the up file is another one than that which had this checksum. */
  readonly hasChanged: (checksum: string) => boolean
  /** What the step's own statements may do to rows, in the step as a whole. */
  readonly writes: 'rows' | 'nothing'
  readonly newId: () => string
  readonly now: () => string
}

/** What earlier attempts of the same transaction learned about it. */
export interface Knowledge {
  /** Roots of tables whose rows are changed by code. */
  readonly captured: Set<number>
  /** Tables, columns and sequences that code takes away: `oid` or `oid.column`. */
  readonly copied: Set<string>
  /** Roots of partition trees that lose partitions, though perhaps no row. */
  readonly folded: Set<number>
  /** Whether code changes definitions, although no statement is about them. */
  definitions: 'unchanged' | 'changed'
  /** Whether sequences begin again where the rows do that come back; not where the step inserts others. */
  numbers: 'again' | 'go on'
  /** By sequence, where another first number than the lowest was found. */
  firsts: ReadonlyMap<string, string>
}

export interface Custody {
  readonly session: Session
  readonly subject: Subject
  readonly options: CareOptions
  readonly knowledge: Knowledge
  readonly writer: Writer
  /** What could not be kept although it was accepted. */
  readonly losses: string[]
  before: Witness
  /** The counters before the first statement, where they are enough; `before` is empty then. */
  trace: Trace | null
  /** Tables without a row, locked against others: what is in them at the end was made by the transaction. */
  empty: Set<number>
  captures: Capture[]
  /** Captures of tables of which every row was taken. */
  whole: Capture[]
  /** What was kept in this transaction: `oid` of a relation or `oid.number` of a column. */
  covered: Set<string>
  /** Sequences that begin again for the step. */
  restarted: Restarted[]
  /** Of partition trees that may lose a partition, by root. */
  readonly digests: Map<number, string>
}

export type Send = (text?: string) => Promise<void>

/** Thrown instead of a commit: the transaction begins anew with what is known now. */
export class LearnedMore extends Error {}

export function knowNothing(): Knowledge {
  return {
    captured: new Set(),
    copied: new Set(),
    folded: new Set(),
    definitions: 'unchanged',
    numbers: 'again',
    firsts: new Map(),
  }
}

export function knowsNothing({ captured, copied, folded, definitions }: Knowledge): boolean {
  return captured.size + copied.size + folded.size === 0 && definitions === 'unchanged'
}

/** Remembers an accepted loss, else throws LOSS_NOT_ACCEPTED. */
export function lose({ losses, options, subject }: Custody, loss: LossClass, why: string, statement?: Statement): void {
  if (losses.includes(why)) return
  if (!options.lossAccepted) throw lossNotAccepted(subject, [why], loss, statement?.line)
  losses.push(why)
}

export function lossNotAccepted(
  { version, slug }: Pick<Subject, 'version' | 'slug'>,
  reasons: readonly string[],
  loss: LossClass,
  line?: number,
): PlinthError {
  return new PlinthError(
    'LOSS_NOT_ACCEPTED',
    `${version}_${slug} is ${loss}: ${reasons.map(reason => reason.replace(/\.$/, '')).join('; ')}.`,
    {
      at: { object: `${version}_${slug}`, ...(line === undefined ? {} : { line }) },
      hint: `Change the migration, or accept the loss with --accept-loss ${version}.`,
      details: { version, lossClass: loss, reasons },
    },
  )
}

/** Tables of those names that are there and not temporary, where the file's own search path holds. */
export async function tablesNamed({ session }: Custody, names: readonly string[]): Promise<number[]> {
  if (names.length === 0) return []
  const { rows } = await session.query<{ oid: number }>(
    `select c.oid
    from unnest($1::text[]) name
    join pg_catalog.pg_class c on c.oid = to_regclass(name)
    where c.relkind in ('r', 'p') and c.relpersistence <> 't'`,
    [namesArray(names)],
    { prepared: true },
  )
  return rows.map(row => row.oid)
}

/** The tables, their partitions and their heirs. */
export async function withHeirs({ session }: Custody, ...oids: readonly number[]): Promise<number[]> {
  if (oids.length === 0) return []
  const [result] = await session.send([heirsOf(oids)])
  return (result?.rows ?? []).map(row => Number(row['oid']))
}

/** The question of {@link withHeirs}, for those who ask it together with others. */
export function heirsOf(oids: readonly number[]): Parameterized {
  return {
    text: `with recursive tree (oid) as (
      select unnest($1::oid[])
      union
      select i.inhrelid
      from pg_catalog.pg_inherits i
      join tree t on t.oid = i.inhparent
    )
    select oid from tree`,
    values: [`{${oids.join(',')}}`],
    prepared: true,
  }
}

/** What a table and its columns were called when the transaction began: so they are called again when the opposite step has run. */
export function originOf({ before }: Custody, { oid, columns }: NamedColumns): Origin | undefined {
  const relation = before.get(oid)
  if (!relation) return undefined
  return {
    name: relation.name,
    columns: new Map(columns.map(({ number, name }) => [name, relation.columns.get(number)?.name ?? name])),
  }
}

interface NamedColumns {
  readonly oid: number
  readonly columns: readonly { readonly number: number; readonly name: string }[]
}

/** Only what holds one value may be named so; a table is always kept. */
export function isRedundant({ options }: Custody, relation: Relation | undefined): boolean {
  if (relation?.kind !== 'sequence') return false
  const names = options.redundant ?? []
  return names.some(name => relation.name.endsWith(`.${name}`) || relation.name.endsWith(`.${ident(name)}`))
}

/** Deferred events would stand in the way of changing a table's triggers. */
export async function settle({ session }: Custody): Promise<void> {
  await session.script('set constraints all immediate')
}
