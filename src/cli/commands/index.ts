/** All commands, in the order in which help shows them. */
import type { CommandSpec } from '../command.ts'
import { apply } from './apply.ts'
import { configShow } from './config-show.ts'
import { explain } from './explain.ts'
import { create } from './new.ts'
import { plan } from './plan.ts'
import { redo } from './redo.ts'
import { rollback } from './rollback.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { verify } from './verify.ts'

export const commands: readonly CommandSpec[] = [
  stop,
  create,
  plan,
  apply,
  rollback,
  redo,
  status,
  verify,
  configShow,
  explain,
]
