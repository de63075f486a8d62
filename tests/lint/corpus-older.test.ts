/** What a rehearsal foresees on an older PostgreSQL is what a target of that version with rows then does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readStories } from '../support/corpus.ts'
import { executeStory, foreseen, rehearseStory, untilRefusedByRows } from '../support/corpus-runs.ts'
import { withClient } from '../support/client.ts'
import { startOlderServer, withoutOlderServer } from '../support/older-server.ts'

let server: Awaited<ReturnType<typeof startOlderServer>> | undefined
let version = 0

beforeAll(async () => {
  if (withoutOlderServer) return
  server = await startOlderServer()
  const asked = "select current_setting('server_version_num')::int / 10000 as major"
  const { rows } = await withClient(server.url, client => client.query<{ major: number }>(asked))
  version = rows[0]?.major ?? 0
})
afterAll(() => server?.stop())

const stories = readStories().map(story => [story.name, story] as const)

describe.skipIf(withoutOlderServer).each(stories)('%s', (name, story) => {
  test('does on an older target what was foreseen', async ({ skip }) => {
    if (story.since > version) skip(`it needs PostgreSQL ${story.since}`)
    const url = server?.url ?? ''
    const rehearsal = await rehearseStory(story, url)
    const database = `target_${name.replaceAll('-', '_')}`
    await withClient(url, client => client.query(`create database ${database}`))
    const observed = await executeStory(story, Object.assign(new URL(url), { pathname: `/${database}` }).toString())
    expect(foreseen(untilRefusedByRows(rehearsal.steps, observed))).toEqual(foreseen(observed))
  })
})
