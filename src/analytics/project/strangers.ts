/** What a captured source's transforms cannot have, since their rows are replaced and proved in a transaction of their own. */
import { PlinthError } from '../../errors.ts'
import { descendantsOf } from './graph.ts'
import { capturedSources, type Project, sourceKey } from './project.ts'

/** Throws TRANSFORM_INVALID for hooks among them, and for cells that stand on a snapshot. */
export function refuseStrangers(project: Pick<Project, 'sources' | 'transforms'>): void {
  const captured = new Set(
    capturedSources(project).flatMap(source => descendantsOf(project.transforms, sourceKey(source))),
  )
  const onSnapshots = new Set<string>()
  for (const transform of project.transforms) {
    const { name, hooks, cell, template, materialized, refs } = transform
    if (materialized === 'snapshot' || refs.some(ref => onSnapshots.has(ref))) onSnapshots.add(name)
    const at = { file: template.file, line: 1, source: template.source }
    if (captured.has(transform) && hooks.before.length + hooks.after.length > 0) {
      throw new PlinthError('TRANSFORM_INVALID', `"${name}" follows a captured source and has hooks.`, {
        at,
        hint: 'Hooks are for what reads no captured source: run the statement around every run (on-run-end), or write a migration of the warehouse.',
      })
    }
    if (captured.has(transform) && transform.config['materialized'] === 'external') {
      throw new PlinthError('TRANSFORM_INVALID', `"${name}" follows a captured source and would be written to files.`, {
        at,
        hint: 'Files do not commit with the cells that they are made of: materialize it as a table, and export that.',
      })
    }
    if (cell && onSnapshots.has(name)) {
      throw new PlinthError('TRANSFORM_INVALID', `"${name}" is replaced by cells and reads a snapshot.`, {
        at,
        hint: 'A snapshot keeps what no source tells any more: take meta.plinth out.',
      })
    }
  }
}
