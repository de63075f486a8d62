// A PostgreSQL of one's own in a temporary folder, and databases in it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { removeEmbedded, startEmbedded } from '../../dist/engines/postgres/embedded.js'

/** Leaves nothing behind, also when it is interrupted. `work` gets the URL, a folder, the version, and ways to make and drop databases. */
export async function withServer(work) {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
  const cleanUp = async () => {
    await removeEmbedded({ folder: join(folder, 'server') }).catch(() => undefined)
    rmSync(folder, { recursive: true, force: true })
  }
  const interrupt = () => void cleanUp().finally(() => process.exit(130))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    const server = await startEmbedded({ folder: join(folder, 'server') })
    const version = await ask(server.url, 'show server_version')
    return await work({ url: server.url, folder, version, ...databases(server.url) })
  } finally {
    await cleanUp()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

export async function withClient(url, work) {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function databases(url) {
  let number = 0
  return {
    /** Makes an empty database, and lets the server write down what it owes first, so that no contender pays for another. */
    freshDatabase: async () => {
      const name = `bench_${++number}`
      await withClient(url, async client => {
        await client.query(`create database ${name}`)
        await client.query('checkpoint')
      })
      const own = new URL(url)
      own.pathname = `/${name}`
      own.searchParams.set('sslmode', 'disable')
      return own.href
    },
    dropDatabase: own =>
      withClient(url, client => client.query(`drop database if exists ${new URL(own).pathname.slice(1)} with (force)`)),
  }
}

async function ask(url, query) {
  return withClient(url, async client => Object.values((await client.query(query)).rows[0])[0])
}
