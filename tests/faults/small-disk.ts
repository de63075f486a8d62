/** A server of our own with a tablespace on a disk so small that it can be filled in a moment. Needs to be root, who may mount one. */
import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeEmbedded, startEmbedded } from '../../src/engines/postgres/embedded.ts'
import { withClient } from '../support/client.ts'
import type { Disk } from './story.ts'

export interface SmallDisk extends Disk {
  readonly serverUrl: string
  readonly tablespace: string
  close(): Promise<void>
}

/** Why it cannot be had, or the disk. */
export async function openSmallDisk(): Promise<SmallDisk | string> {
  if (process.getuid?.() !== 0) return 'only root may mount a small disk'
  const folder = mkdtempSync(join(tmpdir(), 'plinth-small-disk-'))
  const mount = join(folder, 'disk')
  mkdirSync(mount)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m,mode=0755', 'tmpfs', mount]).status !== 0) {
    rmSync(folder, { recursive: true })
    return 'a small disk cannot be mounted here'
  }
  const close = async () => {
    await removeEmbedded({ folder: join(folder, 'server') })
    spawnSync('umount', ['--lazy', mount])
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const server = await startEmbedded({ folder: join(folder, 'server'), durable: false })
    const place = join(mount, 'tablespace')
    mkdirSync(place)
    const { uid, gid } = statSync(server.dataFolder)
    spawnSync('chmod', ['0755', folder])
    chownSync(place, uid, gid)
    await withClient(server.url, client => client.query(`create tablespace small location '${place}'`))
    return { serverUrl: server.url, tablespace: 'small', ...fillerIn(mount), close }
  } catch (error) {
    await close()
    throw error
  }
}

function fillerIn(mount: string): Disk {
  const file = join(mount, 'filler')
  return {
    async fill() {
      const handle = await open(file, 'w')
      const block = Buffer.alloc(1 << 16)
      try {
        for (let size = block.length; size >= 4096; size /= 2) {
          // The last few pages are taken by smaller writes, until not even one is left.
          for (;;) {
            const { bytesWritten } = await handle.write(block, 0, size).catch(() => ({ bytesWritten: 0 }))
            if (bytesWritten < size) break
          }
        }
      } finally {
        await handle.close()
      }
    },
    async free() {
      if (existsSync(file)) await rm(file, { force: true })
    },
  }
}
