/**
 * The way back of repeatables. Taking versions back leaves them as they are; by name, with the run that changed them, or with everything they go back
 * to the text that they had before, and to nothing before the first.
 */
import type { Session } from '../engines/engine.ts'
import { nearest, PlinthError } from '../errors.ts'
import type { Parse } from '../sql/parse.ts'
import { readStoredSql, readTexts } from './history.ts'
import { isRepeatable, type MigrationFile, repeatablePrefix, type VersionHistory, versionKey } from './migration.ts'
import { dropsOf } from './repeat-drops.ts'
import { type Choice, type Selection, selectSteps, type SelectInput, type Target } from './select.ts'

export interface BackInput extends SelectInput {
  readonly repeatables: readonly VersionHistory[]
  readonly parse: () => Promise<Parse>
}

export interface WayBack {
  readonly selection: Selection
  /** The SQL of its repeatables, by the attempt that left what stands. */
  readonly stored: Map<string, string>
}

/** As {@link selectSteps}, with the repeatables that the target means, which go first. Throws VERSION_UNKNOWN too for a name that nothing has. */
export async function selectBack(session: Session, input: BackInput): Promise<WayBack> {
  const target = ofOneRun(input)
  const wanted = standingOf(target, input.repeatables)
  const isAlone = target?.kind === 'repeatable' || (wanted.length > 0 && !hasVersions(target, input.history))
  const versions = isAlone ? nothingOf(input) : selectSteps({ ...input, target })
  if (wanted.length === 0) return { selection: versions, stored: new Map() }
  const stored = new Map<string, string>()
  const choices: Choice[] = []
  const notices: string[] = []
  for (const one of wanted.toReversed()) {
    const back = await stepBack(session, one, { ...input, target })
    choices.push(back.choice)
    stored.set(one.applied?.id ?? '', back.sql)
    notices.push(...back.notices)
  }
  return {
    selection: {
      ...versions,
      choices: [...choices, ...versions.choices],
      notices: [...versions.notices, ...notices],
    },
    stored,
  }
}

/** `views` means `R__views`. */
function standingOf(target: Target | undefined, repeatables: readonly VersionHistory[]): readonly VersionHistory[] {
  const standing = repeatables.filter(one => one.applied !== null)
  if (target?.kind === 'run') return standing.filter(({ applied }) => applied?.runId === target.runId)
  if (target?.kind === 'version') return /^0+$/.test(target.version) ? standing : []
  if (target?.kind !== 'repeatable') return []
  const version = isRepeatable(target.name) ? target.name : `${repeatablePrefix}${target.name}`
  const found = standing.filter(one => one.version === version)
  if (found.length > 0) return found
  const guess = nearest(
    version,
    standing.map(one => one.version),
  )
  throw new PlinthError('VERSION_UNKNOWN', `No repeatable ${version} stands there.`, {
    hint: guess ? `Did you mean ${guess}?` : 'plinth status lists them.',
  })
}

/** `last` is the run that applied last, versions or repeatables. */
function ofOneRun({ target, history, repeatables }: BackInput): Target | undefined {
  if (target?.kind !== 'run' || target.runId !== 'last') return target
  const attempts = [...history, ...repeatables].flatMap(({ applied }) => (applied?.direction === 'up' ? [applied] : []))
  const last = attempts.toSorted((a, b) => b.number - a.number)[0]
  return last ? { kind: 'run', runId: last.runId } : target
}

function hasVersions(target: Target | undefined, history: readonly VersionHistory[]): boolean {
  return target?.kind !== 'run' || history.some(one => one.applied?.runId === target.runId)
}

function nothingOf({ track, history }: BackInput): Selection {
  const current = history.findLast(one => one.state === 'applied')?.version ?? null
  return { track, direction: 'down', from: current, to: current, choices: [], later: [], notices: [] }
}

interface StepBack {
  readonly choice: Choice
  readonly sql: string
  readonly notices: readonly string[]
}

async function stepBack(session: Session, one: VersionHistory, input: BackInput): Promise<StepBack> {
  const { version, slug } = one
  const texts = standingTexts(await readTexts(session, { track: input.track, version }))
  const earlier = input.target?.kind === 'version' ? null : (texts.at(-2) ?? null)
  const text = earlier ? await keptText(session, earlier.id, version) : ''
  const up: MigrationFile = {
    file: `${version} (kept in the history)`,
    text,
    checksum: earlier?.checksum ?? '',
  }
  const migration = { version, slug, up, down: null, upOnly: true, repeats: 'when changed' } as const
  const choice = { version, slug, direction: 'down', migration, history: one, source: 'stored', resumes: null } as const
  if (earlier) return { choice, sql: text, notices: [] }
  const parse = await input.parse()
  const drops = dropsOf(parse(await keptText(session, one.applied?.id ?? '', version)))
  const left = drops.isWhole ? [] : [`Of ${version} only what it made is dropped; what else it wrote or changed stays.`]
  return { choice, sql: drops.sql, notices: left }
}

interface Text {
  readonly id: string
  readonly checksum: string
}

/** From the first to the one that stands: going back takes the later ones off, and running the same again adds none. */
function standingTexts(rows: readonly (Text & { readonly status: string })[]): readonly Text[] {
  const texts: Text[] = []
  for (const row of rows) {
    if (row.status === 'rolled_back') while (texts.length > 0 && texts.at(-1)?.checksum !== row.checksum) texts.pop()
    else if (texts.at(-1)?.checksum !== row.checksum) texts.push(row)
  }
  return texts
}

async function keptText(session: Session, id: string, version: string): Promise<string> {
  const text = await readStoredSql(session, id, 'up')
  if (text !== null) return text
  throw new PlinthError('FILE_GONE', `The earlier text of ${version} is not in the history.`, {
    at: { object: versionKey(version) },
    hint: 'Write it to the file again, and apply it.',
  })
}
