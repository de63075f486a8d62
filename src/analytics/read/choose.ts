/** Which rollup answers a question, and what its columns are called. */
import type { Session } from '../../engines/engine.ts'
import { nearest, PlinthError } from '../../errors.ts'
import { spellingOf } from '../run/cells.ts'
import type { Readable } from './measures.ts'
import type { Filter, Question } from './reading.ts'
import { units } from './window.ts'

export interface Wanted {
  readonly columns: readonly string[]
  readonly where: Readonly<Record<string, readonly string[]>>
  /** Null for all of them. */
  readonly organizations: readonly string[] | null
  readonly transform: string | undefined
}

/** The rollup that answers: the one named, or the one with the fewest columns among those that tell apart what is asked. */
export async function choose(warehouse: Session, all: readonly Readable[], wanted: Wanted) {
  const candidates: Candidate[] = []
  for (const readable of all.filter(({ measures }) => Object.keys(measures).length > 0))
    candidates.push({ readable, keys: await keysOf(warehouse, readable) })
  const named = candidates.filter(({ readable }) => readable.transform.name === wanted.transform)
  const known = candidates.map(({ readable }) => readable.transform.name)
  if (wanted.transform !== undefined && named.length === 0) throw unknown('rollup', wanted.transform, known)
  const among = wanted.transform === undefined ? candidates : named
  const askedOf = ({ readable }: Candidate) => [...wanted.columns, ...Object.keys(conditionsOf(readable, wanted))]
  const able = among.filter(each => askedOf(each).every(word => columnNamed(word, each.keys) !== undefined))
  const [chosen] = able.sort((a, b) => a.keys.length - b.keys.length)
  if (!chosen) throw cannotAnswer([...new Set(among.flatMap(askedOf))], among)
  const { readable, keys } = chosen
  const filters: Filter[] = Object.entries(conditionsOf(readable, wanted)).map(([word, values]) => {
    const { name, type } = columnNamed(word, keys) as Column
    return { column: name, type, values }
  })
  return { readable, keys: wanted.columns.map(word => (columnNamed(word, keys) as Column).name), filters }
}

/** A sketch of the same source with the same columns; none where nothing of that kind is kept. */
export async function sketchFor(
  warehouse: Session,
  all: readonly Readable[],
  question: Question,
): Promise<Readable | null> {
  const needed = [...question.keys, ...question.filters.map(({ column }) => column)]
  for (const readable of all) {
    if (!readable.sketch || readable.source !== question.readable.source) continue
    const keys = await keysOf(warehouse, readable)
    if (needed.every(column => keys.some(({ name }) => name === column))) return readable
  }
  return null
}

interface Candidate {
  readonly readable: Readable
  readonly keys: readonly Column[]
}

interface Column {
  readonly name: string
  readonly type: string
}

function conditionsOf({ source }: Readable, { where, organizations }: Wanted): Wanted['where'] {
  return organizations === null ? where : { ...where, [source.capture.organizationColumn]: organizations }
}

/** Columns that rows are told apart by: all but cell and measures. */
async function keysOf(warehouse: Session, { transform, measures, sketch }: Readable): Promise<readonly Column[]> {
  const { bucket, shard } = transform.cell
  const others = new Set([bucket, shard, ...Object.keys(measures), ...(sketch ? [sketch.bin, sketch.count] : [])])
  const columns = await spellingOf(warehouse).columns(warehouse, transform.schema, transform.name)
  if (columns.length > 0) return columns.filter(({ name }) => !others.has(name))
  throw new PlinthError('WAREHOUSE_FAILED', `The warehouse has no table ${transform.schema}.${transform.name}.`, {
    at: { object: warehouse.address },
    hint: 'Apply the migrations of the warehouse first: plinth apply --track analytics.',
  })
}

/** `organization` means `organization_id` where there is no column of the shorter name. */
function columnNamed(word: string, keys: readonly Column[]): Column | undefined {
  return keys.find(({ name }) => name === word) ?? keys.find(({ name }) => name === `${word}_id`)
}

function cannotAnswer(asked: readonly string[], among: readonly Candidate[]): PlinthError {
  const all = [...new Set(among.flatMap(({ keys }) => keys.map(({ name }) => name.replace(/_id$/, ''))))]
  const stranger = asked.find(word => !among.some(({ keys }) => columnNamed(word, keys)))
  if (stranger !== undefined) return unknown('column', stranger, [...units, ...all])
  const able = among.map(
    ({ readable, keys }) => `${readable.transform.name} by ${keys.map(({ name }) => name).join(', ')}`,
  )
  return new PlinthError('USAGE', `No rollup tells usage apart by ${asked.join(' and ')}.`, {
    hint: `There is ${able.join('; ') || 'no transform with meta.plinth.measures'}.`,
  })
}

function unknown(noun: string, word: string, known: readonly string[]): PlinthError {
  const guess = nearest(word, known)
  return new PlinthError('USAGE', `There is no ${noun} "${word}" to read usage by.`, {
    hint: guess ? `Did you mean ${guess}?` : `Known: ${known.join(', ')}.`,
  })
}
