/** Databases that rehearsals keep, found by a comment that the history of one test writes, so that tests run beside each other. */
import { inject, onTestFinished } from 'vitest'
import { withClient } from './client.ts'

export function dropKeptAfterwards(mark: string): void {
  onTestFinished(async () => {
    for (const name of await keptOf(mark))
      await withClient(inject('serverUrl'), client => client.query(`drop database if exists "${name}" with (force)`))
  })
}

/** Those in which something has the comment. */
export async function keptOf(mark: string): Promise<string[]> {
  const url = new URL(inject('serverUrl'))
  const { rows } = await withClient(url.toString(), client =>
    client.query<{ name: string }>("select datname as name from pg_database where datname like 'plinth\\_rehears%'"),
  )
  const names: string[] = []
  for (const { name } of rows) {
    url.pathname = `/${name}`
    const found = await withClient(url.toString(), client =>
      client.query('select from pg_description where description = $1', [mark]),
    ).catch(() => ({ rowCount: 0 }))
    if (found.rowCount) names.push(name)
  }
  return names
}
