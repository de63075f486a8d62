// A table of the asked size, and one migration at a time that changes it.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withSession } from '../../../dist/engines/brackets.js'
import { engineOf } from '../../../dist/engines/registry.js'
import { applyTrack, rollbackTrack } from '../../../dist/migrations/track.js'
import { withClient } from '../../support/server.js'

export const columnsOfFacts = `id bigint primary key,
  organization_id uuid not null,
  amount numeric(12, 2) not null,
  note text,
  created_at timestamptz not null`

/** About 110 bytes a row, seven tenants, a key and one more index. */
export async function makeFacts(url, rows) {
  await withClient(url, async client => {
    await client.query("set synchronous_commit = off; set maintenance_work_mem = '256MB'")
    await client.query(`create table facts (${columnsOfFacts.replace(' primary key', '')})`)
    await client.query(`insert into facts
      select i, ('00000000-0000-4000-8000-' || lpad((i % 7)::text, 12, '0'))::uuid, (i % 100000) / 100.0, 'note ' || md5(i::text),
        timestamptz '2026-01-01' + i * interval '1 second'
      from generate_series(1, ${rows}) as series (i)`)
    await client.query('alter table facts add primary key (id)')
    await client.query('create index facts_created_at_idx on facts (created_at)')
    await client.query('vacuum (analyze) facts')
    await client.query('checkpoint')
  })
}

/** Writes files of `[version_slug, up, down]` and answers the folder. */
export function writeFolder(server, name, files) {
  const folder = join(server.folder, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [label, up, down] of files) {
    writeFileSync(join(folder, `${label}.up.sql`), `${up}\n`)
    writeFileSync(join(folder, `${label}.down.sql`), `${down}\n`)
  }
  return folder
}

export const apply = (url, folder, options) => run(applyTrack, url, folder, { acceptLoss: [], ...options })

export const rollback = (url, folder, options) =>
  run(rollbackTrack, url, folder, { target: { kind: 'version', version: '0' }, ...options })

/** Milliseconds of each step, and what was restored. */
async function run(action, url, folder, options) {
  return withSession(await engineOf(url), url, {}, async session => {
    const started = performance.now()
    const report = await action(session, {
      track: 'operational',
      folder,
      actor: 'bench',
      lockTimeoutMs: 2000,
      ...options,
    })
    if (report.error) throw report.error
    return {
      ms: performance.now() - started,
      steps: report.done.map(({ version, durationMs, preserved }) => ({
        version,
        ms: durationMs,
        restored: preserved?.restored ?? [],
      })),
    }
  })
}

/** Throws unless the table holds what it held: the benchmark shall not praise the speed of losing data. */
export async function digestOf(url) {
  return withClient(url, async client => {
    const { rows } = await client.query(
      "select count(*)::text || ':' || coalesce(sum(hashtextextended(facts::text, 0)::numeric), 0)::text as digest from facts",
    )
    return rows[0].digest
  })
}
