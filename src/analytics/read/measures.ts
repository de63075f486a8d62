/** What can be read from a project's rollups: hourly transforms whose columns add up over time and over whatever they are told apart by. */
import { nearest, PlinthError } from '../../errors.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import type { CellTransform } from '../run/materialize.ts'
import { hasCells } from '../run/materialize.ts'
import { type CapturedSource, capturedSources, type Project, sourceKey, type Transform } from '../project/project.ts'
import { mappingOf, textOf } from '../project/shapes.ts'

/** How the values of cells become one. */
export type Fold = 'sum' | 'max' | 'min'

/** A latency or another quantity by bins, of which quantiles are asked. */
export interface Sketch {
  /** What it is a sketch of, such as `latency_ms`. */
  readonly of: string
  /** Column with the number of the bin. Bins are ordered as what they hold. */
  readonly bin: string
  /** Column with how many fell into it. */
  readonly count: string
  /** Macro that answers a value of the bin. */
  readonly value: string
}

export interface Readable {
  readonly transform: CellTransform
  readonly source: CapturedSource
  /** By column. */
  readonly measures: Readonly<Record<string, Fold>>
  readonly sketch: Sketch | null
}

/** The hourly transforms that say under `meta.plinth` what their columns measure. Throws TRANSFORM_INVALID. */
export async function readables(project: Project): Promise<Readable[]> {
  const names = namesOf(project)
  const sources = capturedSources(project)
  const found: Readable[] = []
  for (const transform of project.transforms.filter(hasCells)) {
    const source = sources.find(each => transform.sources[0] === sourceKey(each))
    const { measures, sketch } = mappingOf((await metaOf(transform, names))['plinth'])
    if (measures === undefined && sketch === undefined) continue
    if (!source || transform.sources.length > 1 || transform.refs.length > 0 || transform.cell.grain !== 'hour')
      throw invalid(transform, 'has measures, so it must be by hours, and read one captured source and nothing else')
    found.push({
      transform,
      source,
      measures: measuresOf(transform, measures),
      sketch: sketch === undefined ? null : sketchOf(transform, sketch),
    })
  }
  return found
}

const folds: readonly string[] = ['sum', 'max', 'min']

function measuresOf(transform: Transform, measures: unknown): Record<string, Fold> {
  for (const [column, fold] of Object.entries(mappingOf(measures))) {
    if (typeof fold === 'string' && folds.includes(fold)) continue
    const guess = nearest(String(fold), folds)
    throw invalid(transform, `folds "${column}" by "${String(fold)}"`, guess ? `Did you mean ${guess}?` : undefined)
  }
  return mappingOf(measures) as Record<string, Fold>
}

function sketchOf(transform: Transform, sketch: unknown): Sketch {
  const { of, bin, count, value } = mappingOf(sketch)
  const told = { of: textOf(of), bin: textOf(bin), count: textOf(count), value: textOf(value) }
  if (Object.values(told).every(text => text !== undefined && /^[a-z_][a-z0-9_]*$/i.test(text))) return told as Sketch
  throw invalid(transform, 'has a sketch that does not name `of`, `bin`, `count` and `value`')
}

async function metaOf(transform: Transform, names: Names): Promise<Record<string, unknown>> {
  let meta: Record<string, unknown> = {}
  const observe = {
    config: (values: Readonly<Record<string, unknown>>) => (meta = { ...meta, ...mappingOf(values['meta']) }),
  }
  await compile(transform.template, names, { engine: 'duckdb', mode: 'whole', self: transform, observe })
  return meta
}

function invalid(transform: Transform, complaint: string, hint?: string): PlinthError {
  const { file, source } = transform.template
  return new PlinthError('TRANSFORM_INVALID', `The transform "${transform.name}" ${complaint}.`, {
    at: { file, line: 1, source },
    hint:
      hint ??
      "Write config(meta={'plinth': {'measures': {'requests': 'sum', 'latency_ms_max': 'max'}}}), folded by sum, max or min.",
  })
}
