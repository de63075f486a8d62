/** What a thread of lint does. */
import type { MessagePort } from 'node:worker_threads'
import { type ExaminedParts, examineParts, type Team } from '../lint/parts.ts'
import { rules } from '../lint/rules/index.ts'
import { classesIn } from './lint-classes.ts'
import { openReader } from './lint-read.ts'
import { type SharedTask, teamOf } from './lint-share.ts'

/** Takes the first message for its task. What comes later is news of others, so it listens before anything else. */
export async function work(starter: MessagePort): Promise<ExaminedParts> {
  const told = new Promise<Team & { readonly task: SharedTask }>(resolve => {
    starter.once('message', (task: SharedTask) => resolve({ ...teamOf(task, starter), task }))
  })
  const read = await openReader()
  const { task, ...team } = await told
  const { parts, classification, settings, severities, today } = task
  const classOf = await classesIn(classification)
  return examineParts(parts, { settings, severities, today, rules, classOf, read }, team)
}
