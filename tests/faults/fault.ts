/** Which fault hits which run, where: a pure choice by a seed, so that the n-th fault of a seed is always the same. */
import { type Case, cases, type Leg, legs } from './cases.ts'
import { type Random, randomOf } from './random.ts'
import { type Cut, cuts, type Point } from './wire-proxy.ts'

export const kinds = ['kill', 'cut', 'terminate', 'cancel', 'interrupt', 'disk'] as const
export type Kind = (typeof kinds)[number]

/** The command line in a process of its own, or the library in this one, with either kind of lock. */
export type Via = 'process' | 'session lock' | 'lease'

/** Where a run begins, which says where it ends. */
export interface Stand {
  readonly story: Case
  readonly leg: Leg
}

export interface Blow {
  readonly point: Point
  readonly cut: Cut
  /** What becomes of connections that are opened after a cut. */
  readonly later: 'refuse' | 'accept'
}

export interface Fault extends Stand {
  readonly via: Via
  /** From 1; with the seed it names the fault. */
  readonly number: number
  readonly kind: Kind
  readonly blow: Blow
  /** A second blow of the same kind, for the run that would have mended the first. */
  readonly again: Blow | null
  /** The next run is the same once more, or takes everything back. */
  readonly next: 'same' | 'back'
}

/** How many landmarks an undisturbed run passes, and how long it takes. */
export interface Measure {
  readonly landmarks: number
  readonly durationMs: number
}

export interface FaultOptions {
  readonly seed: number
  readonly count: number
  readonly kinds: readonly Kind[]
  /** Part of the name of a case and its leg, such as `backfill, rollback`; empty means all. */
  readonly where: string
}

/** As the story asks: kills and cuts are what happens most. */
const weights: Readonly<Record<Kind, number>> = { kill: 6, cut: 5, terminate: 4, cancel: 3, interrupt: 2, disk: 2 }

export async function* chooseFaults(
  options: FaultOptions,
  measure: (stand: Stand) => Promise<Measure>,
): AsyncGenerator<Fault> {
  const { seed, count } = options
  const turns = randomOf(seed).shuffle(options.kinds.flatMap(kind => Array.from({ length: weights[kind] }, () => kind)))
  const stands = cases
    .flatMap(story => legs.map(leg => ({ story, leg })))
    .filter(one => nameOf(one).includes(options.where))
  const stages = randomOf(seed + 1).shuffle(stands)
  const unused = new Map<string, number[]>()
  for (let number = 1; number <= count; number++) {
    const random = randomOf(Math.imul(seed, 31) + number * 7919)
    const kind = turns[number % turns.length] ?? 'kill'
    const stage = stages[number % stages.length]
    if (!stage) throw new Error(`No case and leg is called "${options.where}".`)
    const via = viaOf(kind, random)
    const size = asRunBy(via, await measure(stage))
    // Landmarks are drawn without putting them back, so that after enough faults none was left out.
    const key = nameOf(stage)
    const left = unused.get(key)?.length ? (unused.get(key) ?? []) : random.shuffle(numbersTo(size.landmarks))
    const landmark = left.pop() ?? 1
    unused.set(key, left)
    const again = random.chance(20) ? blowOf(kind, random, size, random.between(1, size.landmarks)) : null
    const blow = blowOf(kind, random, size, landmark)
    const next = stage.story.whole && stage.leg === 'apply' && random.chance(40) ? 'back' : 'same'
    yield { number, kind, ...stage, via, blow, again, next }
  }
}

export function nameOf({ story, leg }: Stand): string {
  return `${story.name}, ${leg}`
}

/** For people, in one line. */
export function describeFault(fault: Fault): string {
  const blow = ({ point, cut, later }: Blow) =>
    `${describePoint(point)}${fault.kind === 'cut' ? ` (${cut}, ${later} later ones)` : ''}`
  const again = fault.again ? `, and again ${blow(fault.again)}` : ''
  return `#${fault.number} ${fault.kind} ${blow(fault.blow)}${again}: ${nameOf(fault)}, by ${fault.via}${fault.next === 'back' ? ', then taken back' : ''}`
}

function describePoint(point: Point): string {
  if (point.kind === 'time') return `after ${Math.round(point.afterMs)} ms`
  if (point.kind === 'withheld') return `instead of message ${point.landmark}`
  return `${Math.round(point.delayMs)} ms behind message ${point.landmark}`
}

/** The command line plans a rollback on a connection of its own first, and is slower to begin. */
function asRunBy(via: Via, { landmarks, durationMs }: Measure): Measure {
  return via === 'process' ? { landmarks: landmarks + 60, durationMs: durationMs * 1.5 } : { landmarks, durationMs }
}

function viaOf(kind: Kind, random: Random): Via {
  if (kind === 'kill' || kind === 'interrupt') return 'process'
  return random.chance(30) ? 'lease' : 'session lock'
}

function blowOf(kind: Kind, random: Random, size: Measure, landmark: number): Blow {
  const cut = random.pick(cuts)
  const later = random.pick(['refuse', 'accept'] as const)
  return { cut, later, point: pointOf(kind, random, size, landmark) }
}

/** Four of five at a boundary; a cancellation needs a statement that runs, so it comes behind the message and not in its place. */
function pointOf(kind: Kind, random: Random, { durationMs }: Measure, landmark: number): Point {
  const anyTime = random.chance(kind === 'cancel' ? 50 : 20)
  const instead = random.chance(60)
  const delayMs = random.chance(50) ? 0 : random.next() * 12
  if (anyTime) return { kind: 'time', afterMs: random.next() * durationMs }
  if (instead && kind !== 'cancel') return { kind: 'withheld', landmark }
  return { kind: 'passed', landmark, delayMs }
}

function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1)
}
