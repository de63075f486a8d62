/** What a format is given and what it answers: the text of one document, ending in a line break. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { Finding } from '../../schema/finding.ts'
import type { LintReport } from '../run.ts'
import type { LintSource } from '../source.ts'

export interface FormatInput {
  readonly report: LintReport
  /** The texts that the findings point into. */
  readonly sources: readonly LintSource[]
  /** Of Plinth. */
  readonly version: string
}

export type Format = (input: FormatInput) => string

/**
 * As code hosts want it: with slashes, from the folder that holds the repository wherever the call was made; outside of one from where it was made, and absolute
 * for what lies elsewhere.
 */
export function pathOf(file: string | null): string {
  if (file === null || file === '-') return '-'
  const path = resolve(file)
  const near = relative(rootOf(process.cwd()), path)
  return (near.startsWith('..') || isAbsolute(near) ? path : near).split(sep).join('/')
}

/** The folder or one above that git keeps; a work tree of a second branch and a submodule have a file for it. */
function rootOf(folder: string): string {
  if (known?.folder === folder) return known.root
  let root = folder
  while (!existsSync(join(root, '.git')) && root !== dirname(root)) root = dirname(root)
  known = { folder, root: existsSync(join(root, '.git')) ? root : folder }
  return known.root
}

/** A report names the same folder many times. */
let known: { readonly folder: string; readonly root: string } | undefined

/** Of findings that stay the same when lines move: by file, rule, object and message; the second of the same kind gets another. */
export function fingerprints(findings: readonly Finding[]): readonly string[] {
  const seen = new Map<string, number>()
  return findings.map(({ file, rule, object, message, direction }) => {
    const key = [pathOf(file), rule, object ?? '', message, direction ?? ''].join('\0')
    const before = seen.get(key) ?? 0
    seen.set(key, before + 1)
    return createHash('sha256').update(`${key}\0${before}`).digest('hex').slice(0, 32)
  })
}

/** Not silenced in the file or by the baseline. */
export function openFindings({ findings }: LintReport): readonly Finding[] {
  return findings.filter(one => one.allowed === null)
}
