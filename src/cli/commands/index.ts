/** All commands, in the order in which help shows them. */
import type { CommandSpec } from '../command.ts'
import { adopt } from './adopt.ts'
import { apply } from './apply.ts'
import { archiveList, archivePurge, archiveRestore, archiveShow } from './archive.ts'
import { baseline } from './baseline.ts'
import { check } from './check.ts'
import { classifyCheck } from './classify.ts'
import { completionOf } from './completion.ts'
import { configShow } from './config-show.ts'
import { docsCheck, docsGenerate } from './docs.ts'
import { doctor } from './doctor.ts'
import { drift } from './drift.ts'
import { explain } from './explain.ts'
import { lint } from './lint.ts'
import { create } from './new.ts'
import { maintain } from './maintain.ts'
import { plan } from './plan.ts'
import { reconcile } from './reconcile.ts'
import { redo } from './redo.ts'
import { rehearse } from './rehearse.ts'
import { rollback } from './rollback.ts'
import { rollupRun, rollupStatus } from './rollup.ts'
import { rollupCompile, rollupList, rollupPlan } from './rollup-project.ts'
import { rollupRead } from './rollup-read.ts'
import { quarantineAdmit, quarantineDismiss, quarantineList, quarantineShow } from './rollup-quarantine.ts'
import { rollupBackfill } from './rollup-backfill.ts'
import { rollupErase } from './rollup-erase.ts'
import { rollupSeal } from './rollup-seal.ts'
import { seed } from './seed.ts'
import { serve } from './serve.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { up } from './up.ts'
import { verify } from './verify.ts'

const start = [up, stop]
const migrations = [create, lint, rehearse, plan, apply, rollback, redo, status, verify, adopt, baseline, drift]
const archive = [archiveList, archiveShow, archiveRestore, archivePurge]
const data = [seed, rollupPlan, rollupRun, rollupStatus, rollupList, rollupCompile, rollupRead, check, reconcile]
const sealing = [
  rollupBackfill,
  rollupSeal,
  quarantineList,
  quarantineShow,
  quarantineAdmit,
  quarantineDismiss,
  rollupErase,
]
const contract = [docsGenerate, docsCheck, classifyCheck]
const operations = [serve, maintain, doctor, configShow, explain]

const others: readonly CommandSpec[] = [
  ...start,
  ...migrations,
  ...archive,
  ...data,
  ...sealing,
  ...contract,
  ...operations,
]

export const commands: readonly CommandSpec[] = [...others, completionOf(others)]
