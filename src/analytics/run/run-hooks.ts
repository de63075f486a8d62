/** Statements of the project before and after something. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { TemplateValue } from '../../sql/template.ts'
import { compile, type Names } from '../project/compile.ts'
import type { CompileOptions } from '../project/names.ts'
import type { Hook } from '../project/project.ts'

export interface HookOptions {
  readonly names: Names
  readonly warehouse: Session
  /** What `this` is; null around a whole run. */
  readonly self: CompileOptions['self']
  readonly refresh?: CompileOptions['refresh']
  /** More words, such as the results of a run. */
  readonly words?: Readonly<Record<string, TemplateValue>>
}

/** Renders each and runs what it says, in order. Throws TRANSFORM_INVALID, at the hook. */
export async function runHooks(hooks: readonly Hook[], options: HookOptions): Promise<void> {
  const { names, warehouse, self, refresh, words } = options
  const { name: engine, warehouse: spelling } = warehouse.engine
  for (const { template } of hooks) {
    const { sql } = await compile(template, names, {
      engine,
      quote: spelling?.name,
      mode: 'whole',
      self,
      session: warehouse,
      ...(refresh ? { refresh } : {}),
      ...(words ? { words } : {}),
    })
    if (sql.trim() === '') continue
    await warehouse.script(sql.trim()).catch((error: unknown) => {
      if (!(error instanceof PlinthError)) throw error
      const line = template.source.length - template.source.trimStart().length
      throw new PlinthError('TRANSFORM_INVALID', `A hook failed: ${error.message}`, {
        at: { file: template.file, line: template.source.slice(0, line).split('\n').length, source: template.source },
        hint: error.hint,
        cause: error,
      })
    })
  }
}
