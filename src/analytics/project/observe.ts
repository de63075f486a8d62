/** What templates use and set, learned by rendering them. */
import { type Place, PlinthError } from '../../errors.ts'
import type { Template, TemplateValue } from '../../sql/template.ts'
import { compile, type Names } from './compile.ts'
import type { Layer } from './configs.ts'
import type { Hooks } from './project.ts'

export interface Observed {
  readonly refs: readonly string[]
  readonly sources: readonly string[]
  readonly layers: readonly Layer[]
}

interface Observing {
  readonly overrides?: Readonly<Record<string, TemplateValue>>
  /** Filled while rendering, so that it tells what was set before a failure. */
  readonly layers?: Layer[]
}

/** What rendering a template in both modes uses and sets. */
export async function observed(
  name: string,
  template: Template,
  names: Names,
  { overrides = {}, layers = [] }: Observing = {},
): Promise<Observed> {
  const refs = new Set<string>()
  const sources = new Set<string>()
  const calls = new Set<string>()
  for (const mode of ['whole', 'cells'] as const) {
    const observe = {
      ref: (ref: string) => refs.add(ref),
      source: (source: string) => sources.add(source),
      config: (values: Readonly<Record<string, unknown>>, place: Place) => {
        // The same call is seen by each rendering, and what it adds is added once.
        const call = `${place.file}:${place.line}:${place.column} ${JSON.stringify(values)}`
        if (!calls.has(call)) layers.push({ values, place: () => place })
        calls.add(call)
      },
    }
    await compile(template, names, {
      engine: names.surroundings.engine ?? 'duckdb',
      mode,
      self: { schema: names.surroundings.schema, name },
      unanswered: 'parse',
      overrides,
      observe,
    })
  }
  return { refs: [...refs].sort(), sources: [...sources].sort(), layers }
}

/** What hooks refer to is there before they run. */
export async function withHooks(
  { refs, sources }: Observed,
  { before, after }: Hooks,
  name: string,
  names: Names,
): Promise<{ readonly refs: readonly string[]; readonly sources: readonly string[] }> {
  const all = { refs: new Set(refs), sources: new Set(sources) }
  for (const { template } of [...before, ...after]) {
    const more = await observed(name, template, names)
    for (const ref of more.refs) if (ref !== name) all.refs.add(ref)
    for (const source of more.sources) all.sources.add(source)
  }
  return { refs: [...all.refs].sort(), sources: [...all.sources].sort() }
}

/** A cell is replaced when its rows change and at no other time, so it must not hold what differs from run to run. */
export async function refuseMoments(name: string, template: Template, names: Names): Promise<void> {
  const at = async (startedAt: string, runId: string) => {
    const moment = { startedAt, runId }
    return (
      await compile(template, names, {
        engine: names.surroundings.engine ?? 'duckdb',
        mode: 'whole',
        self: { schema: '', name },
        moment,
      })
    ).sql
  }
  if ((await at('2001-01-01T00:00:00.000Z', 'one')) === (await at('2002-02-02T02:02:02.000Z', 'two'))) return
  throw new PlinthError('TRANSFORM_INVALID', `"${name}" is replaced by cells and differs from run to run.`, {
    at: { file: template.file, line: lineOfMoment(template.source), source: template.source },
    hint: 'Leave run_started_at and invocation_id to tables, views and checks.',
  })
}

function lineOfMoment(source: string): number {
  const at = source.search(/run_started_at|invocation_id/)
  return at < 0 ? 1 : source.slice(0, at).split('\n').length
}
