/**
 * Progress for people. A terminal gets one live line, rewritten in place, below the lines of finished work; anything else gets plain lines
 * without control characters, so that logs stay readable.
 */
import pico from 'picocolors'
import type { Event, Sink } from '../event.ts'
import { createPace, type Pace } from './pace.ts'
import { duration, type Sentence, sentenceOf, taskOf } from './sentences.ts'

export interface TerminalOptions {
  /** Standard error, or what stands in for it. */
  readonly stream: TerminalStream
  readonly verbosity: 'quiet' | 'normal' | 'verbose'
  /** `auto` asks the stream and the environment (CI, TERM=dumb). */
  readonly liveLine?: 'auto' | 'never'
  /** `auto` heeds NO_COLOR, FORCE_COLOR and the stream. */
  readonly color?: 'auto' | 'never'
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export interface TerminalStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface TerminalSink extends Sink {
  /** Removes the live line until the next fact. To be called before anything else is written to the terminal. */
  clear(): void
}

export function createTerminalSink(options: TerminalOptions): TerminalSink {
  const environment = options.environment ?? process.env
  const isTerminal = options.stream.isTTY === true && environment['TERM'] !== 'dumb'
  const isLive = isTerminal && !environment['CI'] && options.liveLine !== 'never' && options.verbosity !== 'quiet'
  const forced = environment['FORCE_COLOR']
  const isWanted = forced ? !/^(0|false)$/i.test(forced) : isTerminal
  const isColored = options.color !== 'never' && !environment['NO_COLOR'] && isWanted
  const marks = isLive ? symbols(isColored) : words(isColored)
  return isLive ? createLive(options, marks) : createPlain(options, marks)
}

type Marks = Readonly<Record<Sentence['mark'], string>>

function symbols(isColored: boolean): Marks {
  const paint = pico.createColors(isColored)
  return { done: paint.green('✓'), failed: paint.red('✗'), warning: paint.yellow('!'), note: paint.dim('·') }
}

function words(isColored: boolean): Marks {
  const paint = pico.createColors(isColored)
  return { done: paint.green('ok'), failed: paint.red('failed'), warning: paint.yellow('warning'), note: '--' }
}

function createPlain(options: TerminalOptions, marks: Marks): TerminalSink {
  const paces = new Map<string, Pace>()
  return {
    clear() {},
    write(event) {
      const sentence = wanted(event, options.verbosity)
      if (sentence) options.stream.write(`${marks[sentence.mark]} ${printable(sentence.text)}\n`)
      if (event.type !== 'progress' || options.verbosity === 'quiet') return
      const pace = paces.get(event.task) ?? createPace(event)
      paces.set(event.task, pace)
      pace.note(event)
      // A log is not a place for a bar: a line every five seconds shows that the work is alive.
      if (pace.sinceToldMs() >= 5000) options.stream.write(`${marks.note} ${printable(pace.words())}\n`)
    },
    async close() {},
  }
}

const showAfterMs = 1000
const redrawMs = 120

function createLive(options: TerminalOptions, marks: Marks): TerminalSink {
  const { stream } = options
  const running = new Map<string, { readonly words: string; readonly sinceMs: number }>()
  let pace: Pace | undefined
  let isShown = false
  let drawnAtMs = -Infinity
  let timer: NodeJS.Timeout | undefined

  const clear = () => {
    if (isShown) stream.write('\r\u001b[2K')
    isShown = false
  }
  const draw = () => {
    drawnAtMs = performance.now()
    const text = pace ? pace.bar() : newestLasting(running)
    if (text === undefined) return clear()
    // One column stays free, since a full line wraps and could not be rewritten.
    stream.write(`\r\u001b[2K${cut(printable(text), (stream.columns || 80) - 1)}`)
    isShown = true
  }
  const settle = () => {
    const isBusy = pace !== undefined || running.size > 0
    if (isBusy && !timer) timer = setInterval(draw, redrawMs).unref()
    if (!isBusy && timer) {
      clearInterval(timer)
      timer = undefined
    }
  }
  return {
    clear,
    write(event) {
      const sentence = wanted(event, options.verbosity)
      if (sentence && event.type !== 'lock.waiting') {
        clear()
        stream.write(`${marks[sentence.mark]} ${printable(sentence.text)}\n`)
      }
      pace = nextPace(pace, event)
      noteTask(running, event)
      settle()
      // The timer rests while a part works without a pause, so progress also draws by itself.
      if (pace && performance.now() - drawnAtMs >= redrawMs) draw()
      if (!timer) clear()
    },
    async close() {
      clear()
      if (timer) clearInterval(timer)
      timer = undefined
    },
  }
}

/** The task whose progress is shown: a new task replaces the one before, and any finished work or the last piece ends it. */
function nextPace(pace: Pace | undefined, event: Event): Pace | undefined {
  if (event.type !== 'progress')
    return event.type.endsWith('.finished') || event.type.endsWith('.failed') ? undefined : pace
  if (event.total !== null && event.done >= event.total) return undefined
  const current = pace?.task === event.task ? pace : createPace(event)
  current.note(event)
  return current
}

function noteTask(running: Map<string, { readonly words: string; readonly sinceMs: number }>, event: Event): void {
  if (event.type === 'run.finished') running.clear()
  const task = taskOf(event)
  if (!task) return
  const key = `${event.database ?? ''} ${task.key}`
  if (task.begins === null) running.delete(key)
  else if (!running.has(key)) running.set(key, { words: task.begins, sinceMs: performance.now() })
}

/** The newest work that has lasted for more than a second. */
function newestLasting(
  running: ReadonlyMap<string, { readonly words: string; readonly sinceMs: number }>,
): string | undefined {
  const task = [...running.values()].findLast(({ sinceMs }) => performance.now() - sinceMs >= showAfterMs)
  return task && `${task.words}  ${duration(performance.now() - task.sinceMs)}`
}

function wanted(event: Event, verbosity: TerminalOptions['verbosity']): Sentence | undefined {
  const sentence = ofDatabase(sentenceOf(event), event)
  if (!sentence) return undefined
  const floor = { quiet: 2, normal: 1, verbose: 0 }[verbosity]
  return { detail: 0, normal: 1, problem: 2 }[sentence.level] >= floor ? sentence : undefined
}

/** Where many databases are worked on, each line names its own, and what each step did is said once by its database's last line. */
function ofDatabase(sentence: Sentence | undefined, event: Event): Sentence | undefined {
  if (!sentence || event.database === undefined) return sentence
  const level = sentence.mark === 'done' ? 'detail' : sentence.level
  return { ...sentence, level, text: `${event.database}: ${sentence.text}` }
}

/** Names come from files and servers: what could steer a terminal is left out. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
}

function cut(text: string, width: number): string {
  const characters = Array.from(text)
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}
