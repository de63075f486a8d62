/** What a person reads of each fact: one sentence, or nothing. Pure; `terminal.ts` decides where it goes. */
import { describeBlockers } from '../blocker.ts'
import { type Event, nameOfStep } from '../event.ts'

export interface Sentence {
  /** `detail` is said only when asked for; `problem` is said even in quiet runs. */
  readonly level: 'detail' | 'normal' | 'problem'
  readonly mark: 'done' | 'failed' | 'warning' | 'note'
  readonly text: string
}

/** Undefined when the fact is not for reading, or when the live line shows it. */
export function sentenceOf(event: Event): Sentence | undefined {
  switch (event.type) {
    case 'run.started':
      return detail(`${event.command}${event.track ? ` on ${event.track}` : ''} by ${event.actor}`)
    case 'run.finished':
      return detail(`${event.command} ${event.status} after ${duration(event.durationMs)}`)
    case 'server.starting':
    case 'progress':
      return undefined
    case 'server.started':
      return done(`PostgreSQL ${event.fresh ? 'made and started' : 'started'} at ${event.address}`, event.durationMs)
    case 'server.stopped':
      return done(`PostgreSQL at ${event.address} stopped`, event.durationMs)
    case 'lock.waiting':
      return note(
        `waiting for the lock ${event.lock}, held by ${event.holder ?? 'another run'}, for ${duration(event.waitedMs)}`,
      )
    case 'lock.acquired':
      return event.waitedMs < 1000
        ? detail(`lock ${event.lock}`)
        : note(`got the lock ${event.lock} after ${duration(event.waitedMs)}`)
    case 'lock.released':
      return detail(`lock ${event.lock} released after ${duration(event.heldMs)}`)
    case 'lock.blocked':
      return note(
        `${event.direction} ${event.version} waits ${duration(event.waitedMs)} for a lock held by ${describeBlockers(event.blockers)}`,
      )
    case 'step.started':
      return detail(
        `${event.direction} ${nameOfStep(event)}: ${count(event.statements, 'statement')}, ${event.transactional ? 'one transaction' : 'statement by statement'}`,
      )
    case 'step.resumed':
      return note(`${event.direction} ${event.version} goes on after ${count(event.cursor, 'statement')}`)
    case 'step.retried':
      return note(
        `${event.direction} ${event.version} tries again (${event.attempt}) after ${event.sqlState}, in ${duration(event.pauseMs)}`,
      )
    case 'step.finished':
      return done(`${event.direction} ${nameOfStep(event)}  ${stepSize(event)}`, event.durationMs)
    case 'step.failed':
      return {
        level: 'problem',
        mark: 'failed',
        text: `${event.direction} ${nameOfStep(event)}  ${event.code}${event.sqlState ? ` (SQLSTATE ${event.sqlState})` : ''}${event.line === null ? '' : ` in line ${event.line}`}, ${duration(event.durationMs)}`,
      }
    case 'statement.finished':
      return detail(
        `${event.version} line ${event.line}: ${event.summary}${event.rows > 0 ? `, ${count(event.rows, 'row')}` : ''}, ${duration(event.durationMs)}`,
      )
    case 'hook.finished':
      return event.status === 'passed'
        ? detail(`${event.hook}${event.version === null ? '' : ` for ${event.version}`}  ${duration(event.durationMs)}`)
        : note(`${event.hook}${event.version === null ? '' : ` for ${event.version}`} ${event.status}`)
    case 'database.finished':
      return databaseSentence(event)
    case 'backfill.held':
      return note(
        event.reason === 'sessions'
          ? `${event.version} waits ${duration(event.pauseMs)}: ${count(event.observed, 'session')} at work, and its ceiling is ${number(event.ceiling)}`
          : `${event.version} waits ${duration(event.pauseMs)}: a replica is ${duration(event.observed)} behind, and its ceiling is ${duration(event.ceiling)}`,
      )
    case 'lock.unforeseen':
      return note(
        `${event.version} took ${event.observed ?? 'no lock that matters'} on ${event.relation}, and its rehearsal foresaw ${event.predicted ?? 'none'}`,
      )
    case 'index.rebuilt':
      return note(`${event.version} built the index ${event.index} again, which an earlier run had left invalid`)
    case 'seed.table.finished':
      return done(
        `seed ${event.package}: ${event.table}  ${number(event.inserted)} new, ${number(event.updated)} changed, ${number(event.unchanged)} as before`,
        event.durationMs,
      )
    case 'rollup.captured':
      return done(
        `captured ${count(event.marks, 'mark')} in ${count(event.cells, 'cell')}${event.rebased ? ' (from the beginning)' : ''}`,
        event.durationMs,
      )
    case 'rollup.loaded':
      return detail(
        `loaded ${count(event.rows, 'row')} of ${count(event.cells, 'cell')} into ${event.table}, ${duration(event.durationMs)}`,
      )
    case 'rollup.replaced':
      return detail(
        `replaced ${count(event.cells, 'cell')} of ${event.table} by ${count(event.rows, 'row')}, ${duration(event.durationMs)}`,
      )
    case 'rollup.quarantined':
      return {
        level: 'problem',
        mark: 'warning',
        text: `${count(event.cells, 'sealed cell')} of ${event.source} changed in the source, the oldest at ${event.oldestHour}. See: plinth rollup quarantine list`,
      }
    case 'rollup.sealed':
      return done(
        `sealed ${event.source} before ${event.sealedBefore.slice(0, 10)}: ${count(event.hours, 'hour')}, ${count(event.rows, 'row')}`,
        event.durationMs,
      )
    case 'job.finished':
      return event.status === 'succeeded'
        ? done(`job ${event.job}`, event.durationMs)
        : {
            level: 'problem',
            mark: 'failed',
            text: `job ${event.job}  ${event.code ?? 'failed'}, ${duration(event.durationMs)}`,
          }
    case 'check.finished':
      return checkSentence(event)
    case 'reconciliation.finished':
      return reconciliationSentence(event)
    case 'document.written':
      return event.changed ? done(`wrote ${event.file}`) : detail(`${event.file} is as it was`)
    case 'warning':
      break
  }
  // After the switch, so that the compiler names this function when a new fact is not told above.
  return { level: 'problem', mark: 'warning', text: event.hint ? `${event.message} ${event.hint}` : event.message }
}

function databaseSentence(event: Extract<Event, { type: 'database.finished' }>): Sentence {
  const way = event.from === event.to ? (event.to ?? 'empty') : `${event.from ?? 'empty'} → ${event.to ?? 'empty'}`
  if (event.status === 'failed' || event.status === 'interrupted')
    return { level: 'problem', mark: 'failed', text: `${event.name}  ${event.code ?? event.status}, at ${way}` }
  if (event.status === 'skipped') return note(`${event.name} was not begun`)
  return done(`${event.name}  ${event.status === 'nothing-to-do' ? `nothing to do at ${way}` : way}`, event.durationMs)
}

/** Work that a fact begins (with the words for the live line) or ends; undefined for facts that do neither. */
export function taskOf(event: Event): { readonly key: string; readonly begins: string | null } | undefined {
  const { type } = event
  if (type === 'server.starting')
    return { key: 'server', begins: `${event.fresh ? 'making and starting' : 'starting'} PostgreSQL` }
  if (type === 'server.started') return { key: 'server', begins: null }
  if (type === 'lock.waiting')
    return {
      key: `lock ${event.lock}`,
      begins: `waiting for the lock ${event.lock}, held by ${event.holder ?? 'another run'}`,
    }
  if (type === 'lock.acquired') return { key: `lock ${event.lock}`, begins: null }
  if (type === 'step.started')
    return { key: `${event.direction} ${event.version}`, begins: `${event.direction} ${nameOfStep(event)}` }
  if (type === 'step.finished' || type === 'step.failed')
    return { key: `${event.direction} ${event.version}`, begins: null }
  return undefined
}

/** `12 ms`, `1.4 s`, `3 min 05 s`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** `1 row`, `2 rows`, `12,345 rows`. */
export function count(amount: number, noun: string, plural = `${noun}s`): string {
  return `${number(amount)} ${amount === 1 ? noun : plural}`
}

/** `12,345`. Written by hand, since to ask the locale for it loads the tables of all languages: twenty milliseconds. */
export function number(amount: number): string {
  return String(Math.round(amount)).replace(/\B(?=(\d{3})+$)/g, ',')
}

function checkSentence(event: Extract<Event, { type: 'check.finished' }>): Sentence {
  const text = `check ${event.check}${event.failures > 0 ? `  ${count(event.failures, 'failure')}` : ''}`
  if (event.status === 'passed') return { ...done(text, event.durationMs), level: 'detail' }
  return { level: 'problem', mark: event.status === 'warned' ? 'warning' : 'failed', text }
}

function reconciliationSentence(event: Extract<Event, { type: 'reconciliation.finished' }>): Sentence {
  const text = `reconciled ${count(event.cells, 'cell')} of ${event.source}: ${number(event.different)} different${event.repaired > 0 ? `, ${number(event.repaired)} repaired` : ''}`
  const left = event.different - event.repaired
  return left > 0 ? { level: 'problem', mark: 'warning', text } : done(text, event.durationMs)
}

const waitMsShown = 100

function stepSize(event: Extract<Event, { type: 'step.finished' }>): string {
  const parts = [count(event.statements, 'statement')]
  if (event.rows > 0) parts.push(count(event.rows, 'row'))
  if (event.tables.length > 0) parts.push(count(event.tables.length, 'table'))
  const { lockWaitMs = 0, blockedMsMax = 0, blockedSessionsMax = 0 } = event
  if (lockWaitMs >= waitMsShown) parts.push(`waited ${duration(lockWaitMs)} for locks`)
  if (blockedMsMax >= waitMsShown)
    parts.push(`${count(blockedSessionsMax, 'session')} waited for it, ${duration(blockedMsMax)} at most`)
  return parts.join(', ')
}

function done(text: string, durationMs?: number): Sentence {
  return { level: 'normal', mark: 'done', text: durationMs === undefined ? text : `${text}  ${duration(durationMs)}` }
}

function note(text: string): Sentence {
  return { level: 'normal', mark: 'note', text }
}

function detail(text: string): Sentence {
  return { level: 'detail', mark: 'note', text }
}
