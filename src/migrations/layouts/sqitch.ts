/** Sqitch: `sqitch.plan` orders the changes, whose scripts are in `deploy` and `revert`; one that was reworked keeps its older scripts by a tag. */
import { PlinthError } from '../../errors.ts'
import type { MigrationFile } from '../migration.ts'
import type { Layout, Listing, Part } from './layout.ts'

export const sqitch: Layout = {
  name: 'sqitch',
  looks: 'named by sqitch.plan',
  claims: async listing => listing.files.filter(name => name === plan),
  async load(listing) {
    const parts: Part[] = []
    const changes = changesOf(await listing.read(plan))
    for (const { script, planned, at } of changes) {
      const own = { version: `${at}`, slug: script.replaceAll('/', '_'), foreignName: planned }
      const deploy = await scriptOf(listing, 'deploy', script)
      if (deploy === null) throw withoutScript(listing, script)
      parts.push({ ...own, direction: 'up', name: `deploy/${script}.sql`, content: deploy })
      const revert = await scriptOf(listing, 'revert', script)
      if (revert !== null) parts.push({ ...own, direction: 'down', name: `revert/${script}.sql`, content: revert })
    }
    const verifies = listing.folders.includes('verify')
    const warnings = verifies ? ['What is in verify is not run: write what must hold as checks of the migration.'] : []
    return { parts, upOnly: true, repeatables: [], warnings }
  },
}

const plan = 'sqitch.plan'

interface Change {
  /** Its place in the plan, from 1: only the end of a plan changes, and times of planning need not rise. */
  readonly at: number
  /** The path of its scripts without the folder and the ending. */
  readonly script: string
  /** Its name and time, by which the history tells it. */
  readonly planned: string
}

/** Throws SQL_UNSUPPORTED at a line that is none of a plan. */
function changesOf(source: MigrationFile): Change[] {
  const found: { readonly name: string; readonly time: string; tag: string | null }[] = []
  for (const [at, line] of source.text.split(/\r?\n/).entries()) {
    const text = line.replace(/(?:^|\s)#.*$/, '').trim()
    if (text === '' || text.startsWith('%')) continue
    const tag = /^@(\S+)/.exec(text)?.[1]
    if (tag !== undefined) {
      // The scripts of a change that is reworked later carry the first tag behind it.
      for (const change of found) change.tag ??= tag
      continue
    }
    const match = /^\+?\s*([^\s[\]-][^\s[\]]*)\s+(?:\[[^\]]*\]\s+)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\s/.exec(`${text} `)
    if (!match) throw strange(source, at)
    found.push({ name: match[1] ?? '', time: match[2] ?? '', tag: null })
  }
  return found.map(({ name, time, tag }, at) => {
    const isReworked = found.slice(at + 1).some(later => later.name === name)
    return { at: at + 1, script: isReworked ? `${name}@${tag ?? ''}` : name, planned: `${name} ${time}` }
  })
}

/** A change's name may have folders. */
async function scriptOf(listing: Listing, kind: string, script: string): Promise<MigrationFile | null> {
  let home = listing
  const path = [kind, ...script.split('/')]
  for (const folder of path.slice(0, -1)) {
    if (!home.folders.includes(folder)) return null
    home = await home.below(folder)
  }
  const file = `${path.at(-1)}.sql`
  return home.files.includes(file) ? home.read(file) : null
}

function strange(source: MigrationFile, at: number): PlinthError {
  return new PlinthError('SQL_UNSUPPORTED', `${source.file} has a line that is no change of a plan.`, {
    at: { file: source.file, line: at + 1, source: source.text },
    hint: 'A change is a name, what it requires in brackets, the time and who planned it, as `sqitch add` writes it.',
  })
}

function withoutScript(listing: Listing, script: string): PlinthError {
  return new PlinthError('UP_MISSING', `${plan} names ${script}, and there is no deploy/${script}.sql.`, {
    at: { file: `${listing.folder}/${plan}` },
    hint: 'Point at the folder in which deploy is; top_dir in sqitch.conf names it.',
  })
}
