/** One JSON line an event. Written at once, so that a line is out even when the process is killed after it. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Event, Sink } from '../event.ts'

export type NdjsonTarget = { readonly to: 'stdout' | 'stderr' } | { readonly file: string }

/** Appends to the stream or file. A reader that goes away (EPIPE) ends the stream, not the run. Throws when the file cannot be opened. */
export function createNdjsonSink(target: NdjsonTarget): Sink {
  const descriptor = 'file' in target ? openFile(target.file) : { stdout: 1, stderr: 2 }[target.to]
  let open = true
  return {
    write(event: Event): void {
      if (open) open = writeWhole(descriptor, Buffer.from(line(event), 'utf8'))
    },
    async close(): Promise<void> {
      if ('file' in target && open) closeSync(descriptor)
      open = false
    },
  }
}

/** The envelope first, so that lines align for the eye and for `cut`. */
function line(event: Event): string {
  const { schemaVersion, at, runId, sequence, type, ...rest } = event
  return `${JSON.stringify({ schemaVersion, at, runId, sequence, type, ...rest })}\n`
}

function openFile(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  return openSync(file, 'a', 0o600)
}

/** False when nobody reads any more. A pipe that somebody made non-blocking answers EAGAIN while it is full. */
function writeWhole(descriptor: number, bytes: Uint8Array): boolean {
  for (let written = 0, stalledMs = 0; written < bytes.length; ) {
    try {
      written += writeSync(descriptor, bytes, written)
      stalledMs = 0
    } catch (error) {
      if (!isFull(error) || stalledMs >= stalledMsMax) return false
      Atomics.wait(pauseCell, 0, 0, pauseMs)
      stalledMs += pauseMs
    }
  }
  return true
}

const pauseMs = 5
const stalledMsMax = 2000
const pauseCell = new Int32Array(new SharedArrayBuffer(4))

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}
