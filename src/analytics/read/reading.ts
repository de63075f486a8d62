/** The SQL of a reading: whole hours from the rollup, mixed hours from the rows by the rollup's own query, added up by local period. */
import type { Session, Value } from '../../engines/engine.ts'
import { parseTemplate, type Rendered } from '../../sql/template.ts'
import { spellingOf } from '../run/cells.ts'
import { compile, type Names } from '../project/compile.ts'
import type { Readable } from './measures.ts'
import { tableOf } from '../run/materialize.ts'
import { sourceKey } from '../project/project.ts'
import { rawTable } from '../run/step.ts'
import { isoOf, type Regime, type Stretch, type WindowPlan } from './window.ts'

export interface Question {
  readonly readable: Readable
  readonly plan: WindowPlan
  /** Columns that are told apart beside time. */
  readonly keys: readonly string[]
  readonly filters: readonly Filter[]
  readonly rowsMax: number
}

export interface Filter {
  readonly column: string
  /** Of the warehouse. */
  readonly type: string
  readonly values: readonly string[]
}

/** Keys and measures of each group, by time, then by the keys. */
export async function readMeasures(session: Session, names: Names, question: Question): Promise<Answer[]> {
  const { name } = spellingOf(session)
  const { measures } = question.readable
  const folded = Object.entries(measures).map(([column, fold]) => `${fold}(cell.${name(column)}) as ${name(column)}`)
  const groups = groupsOf(session, question)
  return ask(session, names, question, Object.keys(measures), cells => {
    return `select ${[...groups.selected, ...folded].join(', ')}\nfrom (${cells}) as cell${groups.grouped}${groups.ordered}`
  })
}

/** Quantiles of each group, each given as parts of a million: the value of the lowest bin below which there is that part. */
export async function readQuantiles(
  session: Session,
  names: Names,
  question: Question,
  parts: readonly number[],
): Promise<Answer[]> {
  const { sketch } = question.readable
  if (!sketch) return []
  const { name } = spellingOf(session)
  const groups = groupsOf(session, question)
  const [bin, count] = [name(sketch.bin), name(sketch.count)]
  const value = await valueOfBin(session, names, sketch.value)
  const partition = groups.names.length === 0 ? '' : `partition by ${groups.names.join(', ')} `
  const list = groups.names.map(each => `${each}, `).join('')
  const lowest = parts.map(
    (part, index) => `min(case when up_to * 1000000 >= total * ${part} then ${bin} end) as quantile_${index}`,
  )
  const values = parts.map((_, index) => `${value(`quantile_${index}`)} as quantile_${index}`)
  return ask(session, names, question, [sketch.bin, sketch.count], cells => {
    return `with bins as (
select ${[...groups.selected, `cell.${bin} as ${bin}`].join(', ')}, sum(cell.${count}) as ${count}
from (${cells}) as cell
group by ${[...groups.selected.map((_, index) => index + 1), groups.selected.length + 1].join(', ')}
), ranked as (
select ${list}${bin}, sum(${count}) over (${partition}order by ${bin}) as up_to, sum(${count}) over (${partition.trim()}) as total
from bins
), lowest as (
select ${list}${lowest.join(', ')}
from ranked
${groups.names.length === 0 ? 'having count(*) > 0' : `group by ${groups.names.join(', ')}`}
)
select ${list}${values.join(', ')}
from lowest${groups.ordered}`
  })
}

/** A row by the names of keys and measures; `period_start` is local, `period_offset` the seconds that its clock was ahead of UTC. */
export type Answer = Readonly<Record<string, unknown>>

async function ask(
  session: Session,
  names: Names,
  question: Question,
  columns: readonly string[],
  textOf: (cells: string) => string,
): Promise<Answer[]> {
  const { plan, rowsMax, filters } = question
  const values: Value[] = []
  const conditions = filters.map(({ column, type, values: wanted }) => {
    const places = wanted.map(value => `cast($${values.push(value)} as ${type})`)
    return `${spellingOf(session).name(column)} in (${places.join(', ')})`
  })
  const edges = plan.edges.length === 0 ? null : await edgeCells(session, names, question)
  const shown = shownColumns(session, question, columns)
  const arms = [
    ...(edges === null ? [] : [`select ${shown} from (\n${edges.sql}\n) as edge`]),
    ...(plan.hours === null ? [] : [storedCells(session, question, plan.hours, shown)]),
  ]
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`
  const text = textOf(`select * from (${arms.join('\nunion all\n')}) as every${where}`)
  const { rows } = await session.query(`${text}\nlimit ${rowsMax + 1}`, values)
  return rows
}

/** Names, expressions and order of the groups. */
function groupsOf(session: Session, { plan, keys }: Question) {
  const { name, localStart } = spellingOf(session)
  const { unit } = plan
  const offset = offsetAt(session, 'cell.plinth_at', plan)
  const time =
    unit === null
      ? []
      : [
          `${localStart('cell.plinth_at', offset, unit)} as period_start`,
          ...(unit === 'hour' ? [`${offset} as period_offset`] : []),
        ]
  const names = [
    ...(unit === null ? [] : ['period_start', ...(unit === 'hour' ? ['period_offset'] : [])]),
    ...keys.map(name),
  ]
  const selected = [...time, ...keys.map(key => `cell.${name(key)} as ${name(key)}`)]
  const places = selected.map((_, index) => index + 1)
  // An hour that occurs twice is first the one whose clock is further ahead.
  const order = names.map(each => (each === 'period_offset' ? 'period_offset desc' : each))
  return {
    names,
    selected,
    grouped: places.length === 0 ? '\nhaving count(*) > 0' : `\ngroup by ${places.join(', ')}`,
    ordered: order.length === 0 ? '' : `\norder by ${order.join(', ')}`,
  }
}

function shownColumns(session: Session, { readable, keys, filters }: Question, columns: readonly string[]): string {
  const { name } = spellingOf(session)
  const { bucket } = readable.transform.cell
  const all = new Set([...keys, ...filters.map(({ column }) => column), ...columns])
  return [`${name(bucket)} as plinth_at`, ...[...all].map(name)].join(', ')
}

function storedCells(session: Session, { readable, plan }: Question, hours: Stretch, shown: string): string {
  const { name } = spellingOf(session)
  const bucket = name(readable.transform.cell.bucket)
  const mixed = plan.edges.length === 0 ? '' : ` and not (${within(session, bucket, plan.edges)})`
  return `select ${shown} from ${tableOf(session, readable.transform)} where ${between(session, bucket, hours)}${mixed}`
}

/** The rollup's query over the rows of mixed hours, with the hour of the local clock in place of that of UTC. */
async function edgeCells(session: Session, names: Names, { readable, plan }: Question): Promise<Rendered> {
  const spelling = spellingOf(session)
  const { source, transform } = readable
  const time = `stored.${spelling.name(source.capture.timeColumn)}`
  const hour = spelling.localHour(time, offsetAt(session, time, plan))
  // Where the clocks change within a local hour, what comes after the change is a part of its own, with another offset.
  const local = plan.regimes.length === 1 ? hour : `greatest(${hour}, ${regimeAt(session, time, plan)})`
  const rows = `select * replace (${local} as bucket_hour) from ${rawTable(session, source)} as stored where ${between(session, time, plan)} and (${within(session, 'stored.bucket_hour', plan.edges)})`
  return compile(transform.template, names, {
    engine: session.engine.name,
    quote: spelling.name,
    mode: 'whole',
    self: transform,
    instead: new Map([[sourceKey(source), rows]]),
  })
}

function between(session: Session, column: string, { from, until }: Stretch): string {
  const { moment } = spellingOf(session)
  return `${column} >= ${moment(isoOf(from), 'before all')} and ${column} < ${moment(isoOf(until), 'after all')}`
}

/** Single hours as a list, longer stretches by their bounds. */
function within(session: Session, column: string, stretches: readonly Stretch[]): string {
  const { moment } = spellingOf(session)
  const single = stretches.filter(({ from, until }) => until - from === 3_600_000_000)
  const longer = stretches.filter(({ from, until }) => until - from > 3_600_000_000)
  const listed = single.map(({ from }) => moment(isoOf(from), 'before all'))
  return [
    ...(listed.length === 0 ? [] : [`${column} in (${listed.join(', ')})`]),
    ...longer.map(stretch => `(${between(session, column, stretch)})`),
  ].join(' or ')
}

/** Seconds by which the local clock was ahead of UTC at a moment. */
function offsetAt(session: Session, moment: string, plan: WindowPlan): string {
  return plan.unit === null ? '0' : byRegime(session, moment, plan, ({ offsetSeconds }) => String(offsetSeconds))
}

/** The moment since which the local clock had that offset. */
function regimeAt(session: Session, moment: string, plan: WindowPlan): string {
  return byRegime(session, moment, plan, ({ from }) => spellingOf(session).moment(isoOf(from), 'before all'))
}

function byRegime(
  session: Session,
  moment: string,
  { regimes }: WindowPlan,
  value: (regime: Regime) => string,
): string {
  const literal = (at: number) => spellingOf(session).moment(isoOf(at), 'after all')
  const [last, ...others] = regimes.toReversed()
  const cases = others.toReversed().map(regime => ` when ${moment} < ${literal(regime.until)} then ${value(regime)}`)
  const otherwise = last ? value(last) : '0'
  return cases.length === 0 ? otherwise : `(case${cases.join('')} else ${otherwise} end)`
}

/** The project says what value a bin stands for, in a macro of its own. */
async function valueOfBin(session: Session, names: Names, macro: string): Promise<(column: string) => string> {
  const template = parseTemplate({ file: `${macro}.sql`, source: `{{ ${macro}('plinth_bin') }}` })
  const { name: engine, warehouse } = session.engine
  const { sql } = await compile(template, names, { engine, quote: warehouse?.name, mode: 'whole', self: null })
  return column => sql.trim().replaceAll('plinth_bin', column)
}
