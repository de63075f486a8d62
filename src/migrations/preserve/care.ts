/**
 * The care of one step: before a statement destroys, what it would destroy is kept; after the step, what its opposite destroyed earlier comes
 * back; and before anything commits, the catalog and the counters of rows tell whether something was lost that nobody kept. In that case the
 * transaction is rolled back and runs again, knowing better.
 */
import type { Session } from '../../engines/engine.ts'
import { asPlinthError, PlinthError } from '../../errors.ts'
import type { Statement } from '../../sql/parse.ts'
import { lastAppliedUp } from '../history.ts'
import { onlyAddsRows } from './calm.ts'
import { type Capture, captureAll, followers, renameCaptured, startCapture, stopCapture } from './capture.ts'
import type { LossClass } from './class.ts'
import { lockAgainstAll } from './catch-up.ts'
import { copyColumns, copyTable, holdsRows } from './copy.ts'
import { type Effect, effectOf } from './effects.ts'
import { judgeRows, type Policy, takeImages } from './images.ts'
import { moveTables } from './move.ts'
import { plainly } from './plainly.ts'
import { constrains, type Postponed, postpone } from './postpone.ts'
import { releaseTypes } from './release.ts'
import { type Kinship, restoreObjects } from './restore.ts'
import { assertRoom } from './room.ts'
import { type Shape, shapeNow, shapeOf } from './shape.ts'
import {
  type Archive,
  type ArchiveObject,
  endArchive,
  queryArchives,
  readObjects,
  removeArchive,
  type RestoreReport,
  updateObject,
} from './store.ts'
import { rowDigest, tableDigest } from './text.ts'
import { withEveryRow } from './visible.ts'
import { countsRows, type Relation, type Witness, witness } from './witness.ts'
import { openWriter, type Subject, type Writer } from './writer.ts'

export interface CareOptions {
  readonly policy: Policy
  /** The loss of this version was accepted by name. */
  readonly lossAccepted: boolean
  readonly tenantColumn: string
  /** Whether the opposite step left an archive, as far as the run knows: asking for each step costs as much as a small one. */
  readonly owed: 'nothing' | 'something'
  /** More than that is not copied; null sets no limit but the disk. */
  readonly archiveBytesMax: number | null
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
}

export interface Preserved {
  readonly archiveId: string | null
  readonly restored: readonly RestoreReport[]
  readonly lossClass: LossClass
  /** What could not be kept although it was accepted. */
  readonly losses: readonly string[]
}

export type Send = (text?: string) => Promise<void>

/** Thrown instead of a commit: the transaction begins anew with what is known now. */
export class LearnedMore extends Error {}

export function knowNothing(): Knowledge {
  return { captured: new Set(), copied: new Set(), folded: new Set() }
}

/** Statements that are sent one by one, since the catalog is asked before them. */
export function needsRoom(statement: Statement): boolean {
  const effect = effectOf(statement)
  return (
    /^(drop|alter|rename)$/.test(effect.kind) ||
    (effect.kind === 'write' && effect.empties) ||
    constrains(statement) !== null
  )
}

/** True when the step has to be watched: some statement may change data that was there. */
export function mayDestroy(statements: readonly Statement[]): boolean {
  return statements.some(statement => !/^(none|rename)$/.test(effectOf(statement).kind))
}

/** False when its statements make and change definitions alone. */
export function writesRows(statements: readonly Statement[]): boolean {
  return statements.some(statement => /^(write|observed|beyond)$/.test(effectOf(statement).kind))
}

export interface Care {
  /** In a transaction, before its first statement. */
  open(): Promise<void>
  around(statement: Statement, send: Send): Promise<void>
  /** In the same transaction, after its last statement. Throws LearnedMore. */
  close(): Promise<void>
  /** Once for a step, before its first statement: what users wrote since the opposite step ran. */
  begin(): Promise<void>
  /**
   * Once for a step, in its last transaction: images of what it changed, and everything of the opposite step comes back. `whole` are all statements
   * of a step that had several transactions, perhaps in another process.
   */
  end(whole?: readonly Statement[]): Promise<Preserved>
}

export function openCare(
  session: Session,
  subject: Subject,
  input: { readonly statements: readonly Statement[]; readonly knowledge: Knowledge; readonly options: CareOptions },
): Care {
  return new StepCare(session, subject, input)
}

class StepCare implements Care {
  readonly #session: Session
  readonly #subject: Subject
  readonly #statements: readonly Statement[]
  readonly #knowledge: Knowledge
  readonly #options: CareOptions
  readonly #writer: Writer
  #watched: boolean
  readonly #losses: string[] = []
  readonly #later: string[] = []
  #before: Witness = new Map()
  #captures: Capture[] = []
  /** What was kept in this transaction: `oid` of a relation or `oid.number` of a column. */
  #covered = new Set<string>()
  #digests = new Map<number, string>()
  /** Tables of which every row was captured. */
  #whole: Capture[] = []

  constructor(
    session: Session,
    subject: Subject,
    input: { readonly statements: readonly Statement[]; readonly knowledge: Knowledge; readonly options: CareOptions },
  ) {
    this.#session = session
    this.#subject = subject
    this.#statements = input.statements
    this.#knowledge = input.knowledge
    this.#options = input.options
    this.#writer = openWriter(session, subject, input.options)
    this.#watched = mayDestroy(input.statements)
  }

  async begin(): Promise<void> {
    for (const { id, status } of await this.#archives())
      if (status === 'purged')
        this.#lose('irreversible', `the archive ${id}, which holds what it would bring back, was purged`)
    if ((await this.#owed()).length === 0) return
    await plainly(this.#session, async () => {
      // A step that stopped half-way took no images: what is there now counts as its own work.
      await takeImages(this.#session, await this.#owed(), this.#options)
      await judgeRows(this.#session, await this.#owed(), this.#options.policy, this.#options)
    })
  }

  async open(): Promise<void> {
    this.#covered = new Set()
    this.#captures = []
    this.#whole = []
    const session = this.#session
    if (this.#watched && this.#nothingLearned()) this.#watched = !(await onlyAddsRows(session, this.#statements))
    if (!this.#watched) return
    const targets = await this.#targets()
    await plainly(session, async () => {
      if (!(await countsRows(session))) await this.#demandCounters()
      this.#before = await witness(session)
      const { captured, copied, folded } = this.#knowledge
      const roots = new Set<number>()
      for (const oid of await followers(session, [...targets, ...captured], this.#changesBy()))
        roots.add(this.#before.get(oid)?.root ?? oid)
      await this.#capture([...roots])
      for (const root of folded) this.#digests.set(root, await this.#digest(root))
      await this.#copyKnown(copied)
    })
  }

  async around(statement: Statement, send: Send): Promise<void> {
    const effect = effectOf(statement)
    if (effect.kind === 'beyond') this.#lose(effect.loss, effect.why, statement)
    if (effect.kind === 'drop') return this.#drop(statement, effect, send)
    if (effect.kind === 'alter') await this.#alter(effect)
    if (effect.kind === 'write' && effect.empties) await this.#captureWhole(await this.#resolve(effect.tables))
    if (effect.kind === 'rename') {
      const [oid] = await this.#resolve([effect.table])
      await send()
      return this.#rename(oid, effect.from, effect.to)
    }
    const waiting = await this.#waiting(statement)
    if (waiting === null) return send()
    this.#later.push(...waiting.later)
    if (waiting.text !== '') return send(waiting.text)
  }

  async close(): Promise<void> {
    if (!this.#watched) return
    const session = this.#session
    await plainly(session, async () => {
      await this.#settle()
      for (const capture of this.#captures) await stopCapture(session, capture)
      await this.#assertNothingLost(await witness(session))
    })
  }

  async end(whole: readonly Statement[] = []): Promise<Preserved> {
    const session = this.#session
    for (const statement of whole) this.#later.push(...((await this.#waiting(statement))?.later ?? []))
    const owed = await this.#owed()
    const own = this.#writer.id() ?? (await this.#resumedArchive())
    if (owed.length === 0 && own === null) return this.#preserved(null, [])
    return plainly(session, async () => {
      await this.#settle()
      const reports = await this.#restore(owed)
      for (const statement of this.#later) await session.script(statement)
      // What is back is as it was before the opposite step, so that images tell this step's own effect.
      if (own !== null) await takeImages(session, await readObjects(session, own), this.#options)
      const left = own === null ? [] : await readObjects(session, own)
      if (own !== null && left.length === 0) await removeArchive(session, own)
      return this.#preserved(left.length === 0 ? null : own, reports)
    })
  }

  #preserved(archiveId: string | null, restored: readonly RestoreReport[]): Preserved {
    const lossClass = this.#losses.length > 0 ? 'unproven' : 'lossless'
    return { archiveId, restored, lossClass, losses: this.#losses }
  }

  /** Deferred events would stand in the way of changing the table's triggers. */
  async #settle(): Promise<void> {
    await this.#session.script('set constraints all immediate')
  }

  async #resumedArchive(): Promise<string | null> {
    if (!this.#subject.resumed) return null
    const { track, version, direction } = this.#subject
    const kept = await queryArchives(this.#session, { track, version, direction, statuses: ['kept'] })
    return kept.at(-1)?.id ?? null
  }

  /** Archives of the opposite direction that nobody restored, oldest first. */
  async #archives(): Promise<Archive[]> {
    if (this.#options.owed === 'nothing') return []
    const { track, version, direction } = this.#subject
    const opposite = direction === 'up' ? 'down' : 'up'
    return queryArchives(this.#session, { track, version, direction: opposite, statuses: ['kept', 'purged'] })
  }

  async #owed(): Promise<ArchiveObject[]> {
    const objects: ArchiveObject[] = []
    for (const archive of await this.#archives()) objects.push(...(await readObjects(this.#session, archive.id)))
    return objects
  }

  async #restore(objects: readonly ArchiveObject[]): Promise<RestoreReport[]> {
    const session = this.#session
    const reports: RestoreReport[] = []
    const archives = await this.#archives()
    const kinship = archives.length === 0 ? 'same' : await this.#kinship()
    for (const archive of archives.toReversed()) {
      const own = objects.filter(object => object.archiveId === archive.id)
      const restored = await restoreObjects(session, own, { ...this.#options, kinship })
      for (const { object, whole, report } of restored) {
        if (whole && object.copy !== null) await session.script(`drop table ${object.copy} cascade`)
        await updateObject(session, object, {
          ...(whole ? { copy: null } : {}),
          rows: whole ? 0 : report.kept + report.orphaned + report.unmatched,
        })
      }
      const own_reports = restored.map(one => one.report)
      reports.push(...own_reports)
      await endArchive(session, archive.id, {
        status: archive.status === 'kept' && restored.every(one => one.whole) ? 'restored' : 'leftover',
        endedAt: this.#options.now(),
        endedBy: this.#subject.runId,
        report: own_reports,
      })
    }
    return reports
  }

  /**
   * What a rollback kept is what the up that it took back had made and users had written. Another up computes its own. A down has no such claim:
   * whatever it says, the state before the up comes back.
   */
  async #kinship(): Promise<Kinship> {
    const { direction, slug } = this.#subject
    const earlier = direction === 'up' ? await lastAppliedUp(this.#session, this.#subject) : undefined
    if (!earlier) return 'same'
    if (earlier.slug !== slug) return 'other'
    return earlier.checksum !== null && this.#options.hasChanged(earlier.checksum) ? 'edited' : 'same'
  }

  // --- keeping ---

  /** Tables that the file's own words write to, as far as they are there already and can be told by name. */
  #nothingLearned(): boolean {
    const { captured, copied, folded } = this.#knowledge
    return captured.size + copied.size + folded.size === 0
  }

  /** Its words alone tell enough: what code deletes beyond them is seen in the counters, and learned. */
  #changesBy(): 'updates' | 'updates and deletes' {
    const deletes = this.#statements.some(({ text }) => /\b(delete|merge|truncate)\b/i.test(text))
    return deletes || this.#knowledge.captured.size > 0 ? 'updates and deletes' : 'updates'
  }

  async #targets(): Promise<number[]> {
    const names = new Set<string>()
    for (const statement of this.#statements) {
      const effect = effectOf(statement)
      if (effect.kind === 'write') for (const name of effect.tables) names.add(name)
      if (effect.kind === 'beyond') this.#lose(effect.loss, effect.why, statement)
    }
    return this.#resolve([...names])
  }

  async #resolve(names: readonly string[]): Promise<number[]> {
    if (names.length === 0) return []
    const { rows } = await this.#session.query<{ oid: number }>(
      `select c.oid
      from unnest($1::text[]) name
      join pg_catalog.pg_class c on c.oid = to_regclass(name)
      where c.relkind in ('r', 'p') and c.relpersistence <> 't'`,
      [`{${names.map(name => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`],
    )
    return rows.map(row => row.oid)
  }

  async #capture(roots: readonly number[]): Promise<void> {
    for (const oid of roots) {
      const shape = await shapeOf(this.#session, oid, this.#options)
      if (!shape || shape.bytes === 0 || !this.#before.has(oid)) continue
      if (shape.kind === 'r' && (await this.#heirs(oid)).length > 1)
        this.#lose('unproven', `${shape.name} has heirs, and rows changed through it cannot be told from theirs`)
      this.#captures.push(await startCapture(this.#session, this.#writer, shape))
    }
  }

  async #copyKnown(copied: ReadonlySet<string>): Promise<void> {
    const columns = new Map<string, string[]>()
    for (const known of copied) {
      const [oid = '', column, kind = 'column'] = known.split('.')
      const relation = this.#before.get(Number(oid))
      if (!relation) continue
      const group = `${oid}.${kind}`
      if (column !== undefined) columns.set(group, [...(columns.get(group) ?? []), column])
      else if (relation.kind === 'sequence') await this.#keepSequence(relation)
      else await this.#copyWhole(relation.oid)
      this.#covered.add(known.replace('.values', ''))
    }
    for (const [group, numbers] of columns) {
      const [oid, kind] = group.split('.')
      const shape = await shapeNow(this.#session, Number(oid), this.#options)
      await this.#keepSequences(
        shape,
        shape.columns.filter(one => numbers.includes(String(one.number))).map(one => one.name),
      )
      const names = shape.columns.filter(column => numbers.includes(String(column.number))).map(column => column.name)
      await assertRoom(this.#session, shape.bytes, this.#options)
      await copyColumns(this.#session, this.#writer, { shape, names, kind: kind === 'values' ? 'values' : 'column' })
    }
  }

  async #copyWhole(oid: number): Promise<void> {
    const shape = await shapeNow(this.#session, oid, this.#options)
    if (!(await holdsRows(this.#session, shape))) return
    await assertRoom(this.#session, shape.bytes, this.#options)
    await copyTable(this.#session, this.#writer, shape)
  }

  /** Those that end with columns of a table. */
  async #keepSequences(shape: Shape, columns: readonly string[]): Promise<void> {
    const names = new Set(shape.sequences.filter(({ column }) => columns.includes(column)).map(({ name }) => name))
    for (const relation of this.#before.values()) {
      if (relation.kind !== 'sequence' || !names.has(relation.name)) continue
      this.#covered.add(String(relation.oid))
      await this.#keepSequence(relation)
    }
  }

  async #keepSequence(relation: Relation): Promise<void> {
    const { rows } = await this.#session.query<{ last: string | null }>(
      "select last_value::text as last from pg_catalog.pg_sequences where format('%I.%I', schemaname, sequencename) = $1",
      [relation.name],
    )
    const last = rows[0]?.last ?? null
    if (last === null) return
    await this.#writer.add('sequence', {
      source: relation.name,
      copy: null,
      rows: null,
      detail: { columns: [], key: null, tenant: null, sequences: [{ column: null, name: relation.name, last }] },
    })
  }

  async #alter(effect: Extract<Effect, { kind: 'alter' }>): Promise<void> {
    const session = this.#session
    const [oid] = await this.#resolve([effect.table])
    if (oid === undefined || !this.#before.has(oid)) return
    if (effect.changes.dropped.length + effect.changes.retyped.length > 0) await this.#captureWhole([oid])
    await plainly(session, async () => {
      const shape = await shapeNow(session, oid, this.#options)
      const numbers = shape.columns.filter(({ name }) =>
        [...effect.changes.dropped, ...effect.changes.retyped].includes(name),
      )
      for (const heir of await this.#heirs(oid)) for (const { name } of numbers) this.#coverColumn(heir, name)
      const { dropped, unnumbered } = effect.changes
      await this.#keepSequences(shape, [...dropped, ...unnumbered])
      if (numbers.length === 0 || !(await holdsRows(session, shape))) return
      await assertRoom(session, shape.bytes, this.#options)
      for (const kind of ['column', 'values'] as const)
        await copyColumns(session, this.#writer, {
          shape,
          kind,
          names: (kind === 'column' ? effect.changes.dropped : effect.changes.retyped).filter(
            name => !this.#options.redundant?.includes(name),
          ),
        })
    })
  }

  /** Afterwards the rows are gone, or have another shape: whatever is captured of a table is captured now. */
  async #captureWhole(oids: readonly number[]): Promise<void> {
    const due = this.#captures.filter(capture => capture.oids.some(oid => oids.includes(oid)))
    if (due.length === 0) return
    const session = this.#session
    await plainly(session, async () => {
      await this.#settle()
      for (const capture of due) {
        const shape = await shapeNow(session, capture.root.oid, this.#options)
        await assertRoom(session, shape.bytes, this.#options)
        await stopCapture(session, capture)
        const now = { ...capture, root: { ...capture.root, name: shape.name } }
        await withEveryRow(session, [shape], () => captureAll(session, now))
        this.#whole.push(capture)
      }
    })
    this.#captures = this.#captures.filter(capture => !due.includes(capture))
  }

  async #rename(oid: number | undefined, from: string, to: string): Promise<void> {
    const at = this.#captures.findIndex(capture => capture.root.oid === oid)
    const capture = this.#captures[at]
    if (!capture) return
    this.#captures[at] = await plainly(this.#session, () => renameCaptured(this.#session, capture, from, to))
  }

  #coverColumn(oid: number, name: string): void {
    const relation = this.#before.get(oid)
    for (const [number, column] of relation?.columns ?? [])
      if (column.name === name) this.#covered.add(`${oid}.${number}`)
    this.#covered.add(`${oid}.file`)
  }

  /** The table, its partitions and its heirs. */
  async #heirs(...oids: readonly number[]): Promise<number[]> {
    if (oids.length === 0) return []
    const { rows } = await this.#session.query<{ oid: number }>(`
      with recursive tree (oid) as (
        select unnest(array[${oids.join(', ')}]::oid[])
        union
        select i.inhrelid
        from pg_catalog.pg_inherits i
        join tree t on t.oid = i.inhparent
      )
      select oid from tree`)
    return rows.map(row => row.oid)
  }

  async #drop(statement: Statement, effect: Extract<Effect, { kind: 'drop' }>, send: Send): Promise<void> {
    const session = this.#session
    if (effect.what !== 'table' && effect.what !== 'schema') return this.#dropOther(statement, effect, send)
    const named = effect.what === 'table' ? await this.#resolve(effect.names) : []
    const oids = await this.#heirs(...(effect.what === 'table' ? named : await this.#tablesIn(effect.names)))
    const known = oids.filter(oid => this.#before.has(oid))
    const shapes = await plainly(session, async () => {
      await lockAgainstAll(session, await this.#ownNames(known))
      return this.#shapes(known)
    })
    const full = shapes.filter(shape => shape.full)
    if (full.length === 0) {
      await plainly(session, async () => {
        for (const shape of shapes)
          await this.#keepSequences(
            shape,
            shape.sequences.map(({ column }) => column),
          )
      })
      for (const oid of known) this.#covered.add(String(oid))
      if (effect.what === 'schema') return this.#dropOther(statement, effect, send)
      await this.#release(effect, statement)
      return send()
    }
    if (!(await this.#works(statement, effect))) return send()
    await plainly(session, async () => {
      await this.#untriggered(known)
      await moveTables(session, this.#writer, { oids: known, named, tenantColumn: this.#options.tenantColumn })
      if (effect.what === 'schema') await releaseTypes(session, { kind: 'schema', names: effect.names })
    })
    for (const oid of known) this.#covered.add(String(oid))
    if (effect.what === 'schema') return this.#dropOther(statement, effect, send)
    return send()
  }

  /** Those that this role may drop; for the others the statement fails in its own words. */
  async #ownNames(oids: readonly number[]): Promise<string[]> {
    if (oids.length === 0) return []
    const { rows } = await this.#session.query<{ name: string }>(
      `select c.oid::regclass::text as name
      from pg_catalog.pg_class c
      where c.oid in (${oids.join(', ')}) and pg_has_role(c.relowner, 'usage')
      order by 1`,
    )
    return rows.map(row => row.name)
  }

  async #shapes(oids: readonly number[]): Promise<(Shape & { readonly full: boolean })[]> {
    const found: (Shape & { readonly full: boolean })[] = []
    for (const oid of oids) {
      const shape = await shapeOf(this.#session, oid, this.#options)
      if (shape) found.push({ ...shape, full: await holdsRows(this.#session, shape) })
    }
    return found
  }

  /** A table that moves is not watched any more; its captured rows stay captured. */
  async #untriggered(oids: readonly number[]): Promise<void> {
    for (const capture of this.#captures.filter(one => one.oids.some(oid => oids.includes(oid)))) {
      await stopCapture(this.#session, capture)
      this.#captures = this.#captures.filter(one => one !== capture)
    }
  }

  async #tablesIn(schemas: readonly string[]): Promise<number[]> {
    return [...this.#before.values()]
      .filter(({ kind, schema }) => kind !== 'sequence' && schemas.includes(`"${schema.replaceAll('"', '""')}"`))
      .map(relation => relation.oid)
  }

  /** Types, domains, extensions, sequences, and whatever cascades: tried first, to see in the catalog what goes with them. */
  async #dropOther(statement: Statement, effect: Extract<Effect, { kind: 'drop' }>, send: Send): Promise<void> {
    const session = this.#session
    const before = await plainly(session, () => witness(session))
    if (!(await this.#works(statement, effect, before))) return send()
    const gone = this.#gone
    await plainly(session, async () => {
      const known = new Set<string>()
      for (const one of gone) {
        const oid = Number(one.split('.')[0])
        if (
          this.#before.has(oid) &&
          !this.#isRedundant(before.get(oid)) &&
          !this.#covered.has(one.replace('.values', '')) &&
          before.get(oid)?.schema !== 'plinth_archive'
        )
          known.add(one)
      }
      await this.#copyKnown(known)
    })
    return send()
  }

  #gone: readonly string[] = []

  /** Only what holds one value may be named so; a table is always kept. */
  #isRedundant(relation: Relation | undefined): boolean {
    if (relation?.kind !== 'sequence') return false
    const names = this.#options.redundant ?? []
    return names.some(name => relation.name.endsWith(`.${name}`) || relation.name.endsWith(`."${name}"`))
  }

  /**
   * Tries the statement and takes it back. False when it fails, so that it fails again in its own place. What stands in its way only because
   * the archive still uses a type is made free of it.
   */
  async #works(statement: Statement, effect: Extract<Effect, { kind: 'drop' }>, before?: Witness): Promise<boolean> {
    const session = this.#session
    for (const last of [false, true]) {
      await session.query('savepoint plinth_try')
      try {
        await session.script(statement.text)
        const after = before ? await plainly(session, () => witness(session)) : null
        await session.query('rollback to savepoint plinth_try')
        this.#gone = before && after ? differences(before, after) : []
        const archived = this.#gone.some(one => before?.get(Number(one.split('.')[0]))?.schema === 'plinth_archive')
        if (!archived) return true
      } catch (thrown) {
        const error = asPlinthError(thrown)
        await session.query('rollback to savepoint plinth_try')
        if (error.sqlState !== '2BP01' || last) return false
      }
      await this.#release(effect, statement)
    }
    return true
  }

  async #release(effect: Extract<Effect, { kind: 'drop' }>, { kind }: Statement): Promise<void> {
    const session = this.#session
    const { rows } = await session.query('select from pg_catalog.pg_namespace where nspname = $1', ['plinth_archive'])
    if (rows.length === 0 || (effect.what === 'table' && kind === 'DropStmt')) return
    const names = effect.names
    // Names of types are read where the file's search path still holds.
    const { rows: types } = await session.query<{ name: string }>(
      `select format('%I.%I', n.nspname, t.typname) as name
      from unnest($1::text[]) written
      join pg_catalog.pg_type t on t.oid = to_regtype(written)
      join pg_catalog.pg_namespace n on n.oid = t.typnamespace`,
      [`{${names.map(name => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`],
    )
    await plainly(session, () =>
      releaseTypes(
        session,
        effect.what === 'schema'
          ? { kind: 'schema', names }
          : types.length > 0
            ? { kind: 'type', names: types.map(type => type.name) }
            : { kind: 'any', names: [] },
      ),
    )
  }

  /** What of a statement has to wait until the rows are back. */
  async #waiting(statement: Statement): Promise<Postponed | null> {
    const table = constrains(statement)
    const owed = table === null ? [] : (await this.#owed()).filter(object => object.kind === 'column')
    const [oid] = table === null || owed.length === 0 ? [] : await this.#resolve([table])
    if (oid === undefined) return null
    const { name } = await plainly(this.#session, () => shapeNow(this.#session, oid, this.#options))
    const columns = new Set(
      owed.filter(object => object.source === name).flatMap(object => object.detail.columns.map(column => column.name)),
    )
    return postpone(statement, name, columns)
  }

  // --- proving ---

  async #assertNothingLost(after: Witness): Promise<void> {
    const before = this.#before
    const captures = [...this.#captures, ...this.#whole]
    const watched = new Set(captures.flatMap(capture => capture.oids))
    const learned: (() => void)[] = []
    const know = (set: Set<string> | Set<number>, value: string | number) => {
      if ((set as Set<string | number>).has(value)) return
      learned.push(() => void (set as Set<string | number>).add(value))
    }
    for (const one of differences(before, after)) {
      const oid = Number(one.split('.')[0])
      const relation = before.get(oid)
      if (
        !relation ||
        relation.schema === 'plinth_archive' ||
        this.#isRedundant(relation) ||
        this.#covered.has(one.replace('.values', ''))
      )
        continue
      if (!one.includes('.') && relation.kind === 'table' && relation.size === 0) continue
      // A partition may go without a row: then its tree holds what it held.
      if (!one.includes('.') && relation.root !== oid && after.has(relation.root)) {
        if (!this.#knowledge.folded.has(relation.root)) {
          know(this.#knowledge.folded, relation.root)
          continue
        }
        if (this.#digests.get(relation.root) === (await this.#digest(relation.root))) continue
      }
      know(this.#knowledge.copied, one)
    }
    for (const [oid, now] of after) {
      const was = before.get(oid)
      if (!was || was.kind !== 'table' || was.schema === 'plinth_archive' || was.size === 0) continue
      const changed = now.updated > was.updated || now.deleted > was.deleted
      const rewritten = now.file !== was.file && !this.#covered.has(`${oid}.file`)
      const capture = captures.find(one => one.oids.includes(oid))
      if (capture && capture.root.key === null && now.updated > was.updated)
        this.#lose('unproven', `${was.name} has no key, so its updated rows cannot be told apart`)
      if ((changed || rewritten) && !watched.has(oid) && !this.#wasWatched(was))
        know(this.#knowledge.captured, was.root)
    }
    if (learned.length === 0) return
    for (const learn of learned) learn()
    throw new LearnedMore()
  }

  #wasWatched(relation: Relation): boolean {
    return this.#knowledge.captured.has(relation.root) || this.#covered.has(String(relation.oid))
  }

  async #digest(root: number): Promise<string> {
    const shape = await shapeNow(this.#session, root, this.#options)
    const names = shape.columns.filter(column => !column.generated).map(column => column.name)
    return withEveryRow(this.#session, [shape], async () => {
      const { rows } = await this.#session.query<{ rows: string; digest: string }>(
        tableDigest(`${shape.name} t`, names, 't.'),
      )
      return `${rows[0]?.rows}:${rows[0]?.digest}:${rowDigest(names, '').length}`
    })
  }

  async #demandCounters(): Promise<void> {
    try {
      await this.#session.script('savepoint plinth_count; set local track_counts = on; release savepoint plinth_count')
    } catch {
      await this.#session.query('rollback to savepoint plinth_count')
      this.#lose(
        'unproven',
        'the server does not count rows (track_counts is off), so changes by functions and triggers cannot be seen',
      )
    }
  }

  #lose(loss: LossClass, why: string, statement?: Statement): void {
    if (this.#losses.includes(why)) return
    if (this.#options.lossAccepted) {
      this.#losses.push(why)
      return
    }
    throw lossNotAccepted(this.#subject, [why], loss, statement?.line)
  }
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

/** Relations that are gone, as `oid`; columns that are gone or have another type, as `oid.number`. */
function differences(before: Witness, after: Witness): string[] {
  const found: string[] = []
  for (const [oid, was] of before) {
    const now = after.get(oid)
    if (!now) found.push(String(oid))
    else
      for (const [number, column] of was.columns)
        if (now.columns.get(number)?.type !== column.type)
          found.push(now.columns.has(number) ? `${oid}.${number}.values` : `${oid}.${number}`)
  }
  return found
}
