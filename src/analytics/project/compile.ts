/** What dbt's words mean: renders a transform, check or macro of a project into the SQL of an engine. */
import type { Place } from '../../errors.ts'
import { type Rendered, renderTemplate, type Template } from '../../sql/template.ts'
import { type Ask, answered } from './asking.ts'
import { type CompileOptions, type Names, namesIn } from './names.ts'
import { type Project, sourceKey } from './project.ts'
import { ephemeralName } from './references.ts'
import { scopeOf } from './words.ts'

export type { ChangedCells, CompileOptions, Names, Observer } from './names.ts'

/** What the names of a project mean. */
export function namesOf(project: Omit<Project, 'checks' | 'unitTests' | 'analyses'>): Names {
  return {
    macros: project.macros,
    packages: project.packages,
    dispatch: project.dispatch,
    versions: project.versions,
    variables: project.variables,
    transforms: new Map([...project.seeds, ...project.transforms].map(one => [one.name, one])),
    sources: new Map(project.sources.map(source => [sourceKey(source), source])),
    ephemerals: new Map(project.ephemerals.map(({ name, template }) => [name, template])),
    disabled: new Set(project.disabled),
    packageName: project.name,
    members: project.members,
    surroundings: project.surroundings,
  }
}

/** Renders a template of the project. Throws TRANSFORM_INVALID with file and line. */
export async function compile(template: Template, names: Names, options: CompileOptions): Promise<Rendered> {
  const { rendered, used } = await rendering(template, names, options)
  return used.size === 0 ? rendered : withEphemerals(rendered, names, options, used)
}

interface Rendering {
  readonly rendered: Rendered
  /** Ephemeral transforms that it refers to. */
  readonly used: ReadonlySet<string>
}

function rendering(template: Template, whose: Names, options: CompileOptions): Promise<Rendering> {
  const names = namesIn(whose, template.owner)
  const render = (ask: Ask | null): Rendering => {
    const used = new Set<string>()
    return { rendered: renderTemplate(template, scopeOf(names, options, used, ask)), used }
  }
  return answered(render, options.session, options.unanswered ?? 'refuse')
}

/** Puts the queries of ephemeral transforms before the query, each after those that it refers to; a line still knows its file. */
async function withEphemerals(
  body: Rendered,
  names: Names,
  options: CompileOptions,
  used: ReadonlySet<string>,
): Promise<Rendered> {
  const parts = new Map<string, Rendered>()
  const add = async (name: string): Promise<void> => {
    const template = names.ephemerals.get(name)
    if (parts.has(name) || !template) return
    const { observe: _, ...rest } = options
    const { rendered, used: inner } = await rendering(template, names, {
      ...rest,
      mode: 'whole',
      self: { schema: '', name },
    })
    for (const other of inner) await add(other)
    parts.set(name, rendered)
  }
  for (const name of used) await add(name)
  const lines: string[] = []
  const places: ((line: number) => Place)[] = []
  const push = (text: string, place: (line: number) => Place) => {
    for (const [index, line] of text.split('\n').entries()) {
      lines.push(line)
      places.push(() => place(index + 1))
    }
  }
  for (const [index, [name, rendered]] of [...parts].entries()) {
    push(`${index === 0 ? 'with ' : ''}${ephemeralName(name)} as (`, () => rendered.place(1))
    push(rendered.sql, rendered.place)
    push(index === parts.size - 1 ? ')' : '),', () => rendered.place(1))
  }
  push('select * from (', () => body.place(1))
  push(body.sql, body.place)
  push(') as result', () => body.place(1))
  return { sql: lines.join('\n'), place: line => (places[Math.min(line, places.length) - 1] ?? body.place)(line) }
}
