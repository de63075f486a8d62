/** Reads a text for lint as a run would read it: its head and its layout decide whether it is one transaction. */
import type { ReadScript } from '../lint/source.ts'
import { arrangeAsDirected } from '../migrations/arrange.ts'
import { readDirectives } from '../migrations/directives.ts'
import { openParser } from '../sql/parse.ts'

export async function openReader(): Promise<ReadScript> {
  const parse = await openParser('postgres')
  return ({ text, path, transaction }) => {
    const asked = readDirectives(text, path)
    const directives =
      transaction === 'none' && asked.transaction === 'auto'
        ? { ...asked, transaction: 'none' as const, laidOut: true as const }
        : asked
    return arrangeAsDirected(parse(text, path), directives, path)
  }
}
