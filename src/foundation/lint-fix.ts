/** `lint --fix`: writes what is certain, lints and rehearses it again, and takes back what the server would refuse. */
import { readFile, writeFile } from 'node:fs/promises'
import { type FixedText, fixTexts } from '../lint/fix.ts'
import type { Finding } from '../schema/finding.ts'
import type { Desk } from './desk.ts'
import { type LintRequest, type LintRun, lintProject } from './lint.ts'

export interface LintFixRun extends LintRun {
  /** What was found and is mended, in the order of the files. */
  readonly fixed: readonly Finding[]
}

/** Answers what is left. Throws what linting and writing files throw. */
export async function lintAndFix(desk: Desk, request: LintRequest): Promise<LintFixRun> {
  const first = await lintProject(desk, request)
  const notices: string[] = []
  const written = await write(fixTexts(first.report.findings, first.sources), notices)
  if (written.length === 0) return { ...first, notices: [...first.notices, ...notices], fixed: [] }
  const second = await lintProject(desk, request)
  const worse = written.filter(one => breaks(one.path, first) < breaks(one.path, second))
  if (worse.length === 0) return { ...second, notices: [...second.notices, ...notices], fixed: mended(written) }
  for (const one of worse) {
    await writeFile(one.path, one.before)
    notices.push(`${one.path} was left as it was: the database refuses what the rewrite makes of it.`)
  }
  const third = await lintProject(desk, request)
  const kept = written.filter(one => !worse.includes(one))
  return { ...third, notices: [...third.notices, ...notices], fixed: mended(kept) }
}

/** A text that is not the whole file, such as a section of it, has other places than the file. */
async function write(texts: readonly FixedText[], notices: string[]): Promise<FixedText[]> {
  const written: FixedText[] = []
  for (const one of texts) {
    const isWhole = (await readFile(one.path, 'utf8')) === one.before
    if (isWhole) {
      await writeFile(one.path, one.after)
      written.push(one)
    } else notices.push(`${one.path} holds more than one text, so nothing was rewritten in it.`)
  }
  return written
}

/** How often the file cannot be read, or is refused when it is run. */
function breaks(path: string, { report }: LintRun): number {
  return report.findings.filter(({ file, rule }) => file === path && /^(syntax|rehearsal-failed)$/.test(rule)).length
}

function mended(written: readonly FixedText[]): Finding[] {
  return written.flatMap(one => one.findings)
}
