/** What a thread of lint does. */
import type { MessagePort } from 'node:worker_threads'
import { type ExaminedParts, examineParts } from '../lint/parts.ts'
import { rules } from '../lint/rules/index.ts'
import { classesIn } from './lint-classes.ts'
import { openReader } from './lint-read.ts'
import { type SharedTask, teamOf } from './lint-share.ts'

export async function work(task: SharedTask, starter: MessagePort): Promise<ExaminedParts> {
  const { parts, classification, settings, severities, today } = task
  const team = teamOf(task, starter)
  const asked = {
    settings,
    severities,
    today,
    rules,
    classOf: await classesIn(classification),
    read: await openReader(),
  }
  return examineParts(parts, asked, team)
}
