/** How fast a task goes and how long it has left, from its `progress` facts. Time is that of the facts, so it can be replayed. */
import type { Event } from '../event.ts'
import { duration, number } from './sentences.ts'

export type Progress = Extract<Event, { type: 'progress' }>

export interface Pace {
  readonly task: string
  note(progress: Progress): void
  /** `seed usage_events  ██████░░░░  60 %  600,000 of 1,000,000 rows  300,000/s  1.3 s left`. */
  bar(): string
  /** The same without the bar; restarts the clock of `sinceToldMs`. */
  words(): string
  /** Milliseconds since this was last put into words, or since the task began. */
  sinceToldMs(): number
}

export function createPace(first: Progress): Pace {
  const began = { atMs: Date.parse(first.at), done: first.done }
  let last = first
  let toldAtMs = began.atMs
  const nowMs = () => Date.parse(last.at)
  const rate = () => {
    const elapsedMs = nowMs() - began.atMs
    return elapsedMs > 0 ? ((last.done - began.done) / elapsedMs) * 1000 : 0
  }
  const figures = () => {
    const perSecond = rate()
    const leftMs = last.total !== null && perSecond > 0 ? ((last.total - last.done) / perSecond) * 1000 : null
    const share = last.total ? `${Math.floor((last.done / last.total) * 100)} %` : ''
    return [
      share,
      `${number(last.done)}${last.total === null ? '' : ` of ${number(last.total)}`} ${last.unit}`,
      perSecond >= 1 ? `${number(Math.round(perSecond))}/s` : '',
      leftMs === null ? '' : `${duration(leftMs)} left`,
    ].filter(Boolean)
  }
  return {
    task: first.task,
    note(progress) {
      last = progress
    },
    bar: () => [last.task, last.total ? blocks(last.done / last.total) : '', ...figures()].filter(Boolean).join('  '),
    words() {
      toldAtMs = nowMs()
      return [last.task, ...figures()].join('  ')
    },
    sinceToldMs: () => nowMs() - toldAtMs,
  }
}

const blockCount = 20

function blocks(share: number): string {
  const full = Math.min(blockCount, Math.max(0, Math.round(share * blockCount)))
  return '█'.repeat(full) + '░'.repeat(blockCount - full)
}
