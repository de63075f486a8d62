/** Databases to disturb runs in: for each leg of each case one that is ready for it, copied for every fault. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { engineOf } from '../../src/engines/registry.ts'
import type { Session } from '../../src/engines/engine.ts'
import { withClient } from '../support/client.ts'
import { writeFiles } from '../migrations/support.ts'
import { type Case, type Leg, legs } from './cases.ts'
import type { Measure, Stand } from './fault.ts'
import { type Belongings, belongingsOf, type Remains, remainsOf } from './remains.ts'
import { startRun } from './runs.ts'
import { openProxy } from './wire-proxy.ts'

export interface Stage {
  /** Connections to the server, outside of every database that is disturbed. */
  readonly admin: Pool
  /** A copy of what the leg begins with. */
  copyFor(stand: Stand): Promise<Copy>
  folderOf(story: Case): Promise<string>
  /** What a run in this process with a session lock does and leaves behind when nobody disturbs it. */
  undisturbed(stand: Stand): Promise<Undisturbed>
  /** What a leg begins with. */
  beginning(stand: Stand): Promise<Belongings>
  close(): Promise<void>
}

export interface Copy {
  readonly name: string
  readonly url: string
  drop(): Promise<void>
}

export interface Undisturbed extends Measure {
  readonly remains: Remains
}

/** Copies live in the tablespace, when one is given. */
export async function openStage(serverUrl: string, tablespace?: string): Promise<Stage> {
  const admin = new Pool({ connectionString: serverUrl, max: 6 })
  admin.on('error', () => undefined)
  const folder = await mkdtemp(join(tmpdir(), 'plinth-faults-'))
  const suffix = tablespace === undefined ? '' : ` tablespace ${tablespace}`
  const made = new Set<string>()
  const once = memory()

  const create = async (template: string, where: string): Promise<Copy> => {
    const name = `test_${randomBytes(6).toString('hex')}`
    made.add(name)
    await admin.query(`create database ${name} template ${template}${where}`)
    const url = new URL(serverUrl)
    url.pathname = `/${name}`
    const drop = async () => {
      await admin.query(`drop database if exists ${name} with (force)`)
      made.delete(name)
    }
    return { name, url: url.toString(), drop }
  }

  const folderOf = (story: Case) =>
    once(`folder of ${story.name}`, async () => {
      const path = join(folder, story.name.replaceAll(' ', '-'))
      await writeFiles(path, story.files)
      return path
    })

  /** What a leg begins with is what the leg before it left, and what people wrote since. */
  const templateFor = (story: Case, leg: Leg): Promise<Copy> =>
    once(`template of ${story.name}, ${leg}`, async () => {
      const before = legs[legs.indexOf(leg) - 1]
      const template = await create(before ? (await templateFor(story, before)).name : 'template0', '')
      if (before) await runUndisturbed({ url: template.url, folder: await folderOf(story), leg: before })
      const written = leg === 'apply' ? story.setup : leg === 'rollback' ? story.afterUp : story.afterDown
      await withClient(template.url, client => client.query(written))
      return template
    })

  const copyFor = async ({ story, leg }: Stand) => create((await templateFor(story, leg)).name, suffix)

  const undisturbed = ({ story, leg }: Stand) =>
    once(`${story.name}, ${leg}`, async () => {
      const copy = await copyFor({ story, leg })
      const proxy = await openProxy({ url: copy.url })
      await runUndisturbed({ url: proxy.url, folder: await folderOf(story), leg })
      const measure = { landmarks: proxy.landmarks.length, durationMs: proxy.durationMs }
      await proxy.close()
      const remains = await onSession(copy.url, remainsOf)
      await copy.drop()
      return { ...measure, remains }
    })

  const beginning = ({ story, leg }: Stand) =>
    once(`beginning of ${story.name}, ${leg}`, async () => {
      const copy = await copyFor({ story, leg })
      const belongings = await onSession(copy.url, belongingsOf)
      await copy.drop()
      return belongings
    })

  const close = async () => {
    for (const name of made) await admin.query(`drop database if exists ${name} with (force)`)
    await admin.end()
    await rm(folder, { recursive: true, force: true })
  }

  return { admin, copyFor, folderOf, undisturbed, beginning, close }
}

export async function onSession<T>(url: string, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await (await engineOf(url)).open(url, { applicationName: 'plinth test' })
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

async function runUndisturbed(input: { readonly url: string; readonly folder: string; readonly leg: Leg }) {
  const trouble = await startRun('session lock', input).ended
  if (trouble !== null) throw new Error(`${input.folder}, ${input.leg} fails undisturbed: ${trouble}`)
}

/** Two that ask for the same thing at once get the same one. */
function memory() {
  const known = new Map<string, Promise<unknown>>()
  return <T>(key: string, make: () => Promise<T>): Promise<T> => {
    const found = known.get(key) ?? make()
    known.set(key, found)
    return found as Promise<T>
  }
}
