/** Keeps the columns that an `alter table` takes away or gives another type, and the rows of a table before it gets another shape. */
import { captureAll, renameCaptured, stopCapture } from './capture.ts'
import { copyColumns, holdsRows } from './copy.ts'
import { type Custody, originOf, settle, tablesNamed, withHeirs } from './custody.ts'
import type { Effect } from './effects.ts'
import { keepSequences } from './keep-known.ts'
import { plainly } from './plainly.ts'
import { assertRoom } from './room.ts'
import { shapeNow } from './shape.ts'
import { withEveryRow } from './visible.ts'

export async function keepAltered(
  custody: Custody,
  { table, changes }: Extract<Effect, { kind: 'alter' }>,
): Promise<void> {
  const { session, writer, options } = custody
  const { dropped, retyped, unnumbered } = changes
  const [oid] = await tablesNamed(custody, [table])
  if (oid === undefined || !custody.before.has(oid)) return
  if (dropped.length + retyped.length > 0) await captureWhole(custody, [oid])
  await plainly(session, async () => {
    const shape = await shapeNow(session, oid, options)
    const taken = shape.columns.filter(({ name }) => [...dropped, ...retyped].includes(name))
    for (const heir of await withHeirs(custody, oid)) for (const { name } of taken) cover(custody, heir, name)
    await keepSequences(custody, shape, [...dropped, ...unnumbered])
    if (taken.length === 0 || !(await holdsRows(session, shape))) return
    await assertRoom(session, shape.bytes, options)
    const origin = originOf(custody, shape)
    const needed = (names: readonly string[]) => names.filter(name => !options.redundant?.includes(name))
    await copyColumns(session, writer, { shape, kind: 'column', names: needed(dropped), origin })
    await copyColumns(session, writer, { shape, kind: 'values', names: needed(retyped), origin })
  })
}

/** Afterwards the rows are gone, or have another shape: whatever is captured of a table is captured now. */
export async function captureWhole(custody: Custody, oids: readonly number[]): Promise<void> {
  const { session, options } = custody
  const due = custody.captures.filter(capture => capture.oids.some(oid => oids.includes(oid)))
  if (due.length === 0) return
  await plainly(session, async () => {
    await settle(custody)
    for (const capture of due) {
      const shape = await shapeNow(session, capture.root.oid, options)
      await assertRoom(session, shape.bytes, options)
      await stopCapture(session, capture)
      const now = { ...capture, root: { ...capture.root, name: shape.name } }
      await withEveryRow(session, [shape], () => captureAll(session, now))
      custody.whole.push(capture)
    }
  })
  custody.captures = custody.captures.filter(capture => !due.includes(capture))
}

/** The capture of the table goes on under the new name of its column. */
export async function followRename(
  custody: Custody,
  oid: number | undefined,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const at = custody.captures.findIndex(capture => capture.root.oid === oid)
  const capture = custody.captures[at]
  if (!capture) return
  custody.captures[at] = await plainly(custody.session, () => renameCaptured(custody.session, capture, from, to))
}

function cover({ before, covered }: Custody, oid: number, name: string): void {
  for (const [number, column] of before.get(oid)?.columns ?? [])
    if (column.name === name) covered.add(`${oid}.${number}`)
  covered.add(`${oid}.file`)
}
