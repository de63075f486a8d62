/** Tools that tell migrations by their whole names, so that several may begin with the same number. */
import { readNumber } from './layout.ts'

export interface Named {
  readonly version: string
  readonly slug: string
  /** The whole name, as the tool's own history has it. */
  readonly foreignName: string
}

/**
 * Versions that keep the order of `names`, which is the tool's. Where letters decide, `20260108_b` stands behind `20260108120000_a`, and is
 * `20260108999999` here; the second that begins with a number gets a further part, `20260305.1`, and the third `20260305.2`. Names without a
 * number are left out.
 */
export function readWholeNames(names: readonly string[]): ReadonlyMap<string, Named> {
  const read = new Map<string, Named>()
  let last: { readonly version: string; readonly parts: number } | null = null
  for (const name of names) {
    const found = readNumber(name, /$/)
    if (!found) continue
    last = behind(found.version, last)
    const version = last.parts === 0 ? last.version : `${last.version}.${last.parts}`
    read.set(name, { version, slug: found.slug, foreignName: name })
  }
  return read
}

function behind(number: string, last: { readonly version: string; readonly parts: number } | null) {
  const filled = last === null ? number : number.padEnd(last.version.length, '9')
  for (const version of [number, filled])
    if (last === null || BigInt(version) > BigInt(last.version)) return { version, parts: 0 }
  return { version: last?.version ?? number, parts: (last?.parts ?? 0) + 1 }
}
