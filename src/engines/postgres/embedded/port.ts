/** Ports of this machine: always of 127.0.0.1, so that nobody else can reach the server. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'

/** The same for the same folder, below the range that systems hand out by themselves. */
export function preferredPort(folder: string): number {
  return 20_000 + (createHash('sha256').update(folder).digest().readUInt32BE(0) % 10_000)
}

export async function isFree(port: number): Promise<boolean> {
  return (await listenOnce(port)) !== null
}

/** A port that is free now. Throws when the system has none. */
export async function anyFreePort(): Promise<number> {
  const port = await listenOnce(0)
  if (port === null) throw new Error('The system has no free port.')
  return port
}

function listenOnce(port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(null)
      else reject(error)
    })
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}
