/** Snapshots as templates: blocks of SQL files, and entries of properties files that name a relation. */
import { type Place, PlinthError } from '../../errors.ts'
import { parseTemplate } from '../../sql/template.ts'
import { type Folder, listFiles, pathWithin, readText, type TemplateAt } from './files.ts'
import { templateAt } from './hooks.ts'
import { relative } from 'node:path'
import type { PropertiesFile } from './shapes.ts'

export interface NamedTemplate extends TemplateAt {
  readonly name: string
}

const block = /\{%-?\s*snapshot\s+(\w+)\s*-?%\}([\s\S]*?)\{%-?\s*endsnapshot\s*-?%\}/g

/** Throws TRANSFORM_INVALID for a file without a snapshot. */
export async function readSnapshots(
  where: Folder,
  paths: readonly string[],
  properties: readonly PropertiesFile[],
): Promise<NamedTemplate[]> {
  const found: NamedTemplate[] = []
  for (const path of await listFiles(where, paths, /\.sql$/)) {
    const file = relative(where.root, path)
    const source = await readText(path, where.root)
    const blocks = [...source.matchAll(block)]
    if (blocks.length === 0 && source.trim() !== '')
      throw new PlinthError('TRANSFORM_INVALID', 'This file holds no snapshot.', {
        at: { file, line: 1, source },
        hint: 'Write {% snapshot name %} … {% endsnapshot %}.',
      })
    for (const [all, name = '', body = ''] of blocks) {
      const from = source.indexOf(body, source.indexOf(all))
      // What stands before keeps its lines, so that errors know theirs.
      const text = source.slice(0, from).replace(/[^\n]/g, '') + body
      const template = parseTemplate({ file, source: text, owner: where.owner })
      found.push({ name, template, path: pathWithin(where, path) })
    }
  }
  return [...found, ...properties.flatMap(file => ofProperties(file, where.owner))]
}

function ofProperties({ value, place, path }: PropertiesFile, owner: string | undefined): NamedTemplate[] {
  return (value.snapshots ?? []).flatMap((one, index): NamedTemplate[] => {
    if (!one.relation) return []
    const at: Place = place(['snapshots', index, 'relation'])
    return [{ name: one.name, template: templateAt(`select * from {{ ${one.relation} }}`, at, owner), path }]
  })
}
