/**
 * What many rules ask of the same statement or file is found out once. The answer is kept with what it is about, so that both go together: tables with
 * weak keys keep what they hold through many collections of garbage, and a parser's tree is large.
 */

export interface Known {
  /** Answers to what was asked before, for {@link once} alone. */
  readonly known: unknown[]
}

/** The same question, whose answer is kept; it must have one. */
export function once<A extends Known, T extends object>(find: (about: A) => T): (about: A) => T {
  const place = questions++
  return about => (about.known[place] ??= find(about)) as T
}

let questions = 0
