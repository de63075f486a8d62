/** The SQL of a project as an engine would be given it, without asking any database. */
import type { Session } from '../../engines/engine.ts'
import { compile, namesOf } from './compile.ts'
import type { NodeKind } from './nodes.ts'
import type { Project } from './project.ts'

export interface CompiledFile {
  readonly id: string
  readonly kind: NodeKind
  readonly name: string
  /** Under which it is written: the project's name and the path of its file. */
  readonly path: string
  readonly sql: string
}

export interface CompilingOptions {
  /** The engine's name. */
  readonly engine: string
  /** Quotes a name as the engine does. */
  readonly quote?: ((name: string) => string) | undefined
  /** Whom templates ask by run_query and the like. */
  readonly session?: Session | undefined
  /** Ids of what is compiled. */
  readonly select: ReadonlySet<string>
}

/** Transforms as a whole, checks, and analyses. Throws TRANSFORM_INVALID with file and line. */
export async function compileProject(
  project: Project,
  { engine, quote, session, select }: CompilingOptions,
): Promise<CompiledFile[]> {
  const names = namesOf(project)
  const files: CompiledFile[] = []
  const add = async (
    kind: NodeKind,
    {
      name,
      path,
      template,
    }: { readonly name: string; readonly path: string; readonly template: Project['macros'][number] },
    self: { readonly schema: string; readonly name: string; readonly table?: string } | null,
  ) => {
    const id = `${kind}.${name}`
    if (!select.has(id)) return
    const { sql } = await compile(template, names, { engine, quote, session, mode: 'whole', self })
    // A generic test stands in a file with others.
    const at = path.endsWith('.sql') ? path : `${path}/${name}.sql`
    files.push({ id, kind, name, path: `${template.owner ?? project.name}/${at}`, sql: `${sql.trim()}\n` })
  }
  for (const transform of [...project.ephemerals, ...project.transforms])
    await add(transform.kind, transform, transform)
  for (const check of project.checks) await add('test', check, null)
  for (const analysis of project.analyses) await add('analysis', analysis, null)
  return files
}
