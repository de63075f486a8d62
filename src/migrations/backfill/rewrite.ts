/**
 * Writes a statement as one batch of itself: the same text with `and (key) > (…) and (key) <= (…)` behind its condition. The text is cut at
 * its own tokens, never printed anew from a tree, so that nothing else of it changes.
 */
import { PlinthError } from '../../errors.ts'
import { byteIndex } from '../../sql/positions.ts'
import type { Statement } from '../../sql/parse.ts'
import { openNode } from '../../sql/tree.ts'
import { type Driver, driverOf } from './shape.ts'

export interface KeyColumn {
  /** Quoted. */
  readonly name: string
  /** As PostgreSQL prints it, such as `uuid`; parameters are cast to it. */
  readonly type: string
}

export interface Batches {
  readonly driver: Driver
  readonly key: readonly KeyColumn[]
  /** The statement with its first batch's parameters, `$1…` the last key; with `after`, `$n+1…` the key that is done. */
  readonly first: string
  readonly later: string
  /** Asks for the last key of the next batch and how many rows it has; parameters are the key that is done. */
  readonly firstRange: string
  readonly laterRange: string
  /** `from … where … for …`: the rows that a batch may change, locked, with the statement's own parameters; null for an insert. */
  readonly reads: { readonly first: string; readonly later: string } | null
}

/** Loads the parser. The key's parameters come first: `$1…$k` is the last key of the batch, `$k+1…$2k` the one before the first. */
export async function rewrite(statement: Statement, key: readonly KeyColumn[], size: number): Promise<Batches> {
  const driver = driverOf(statement)
  if (!driver) throw new PlinthError('INTERNAL', 'A statement without a driving table was to be cut into batches.')
  const columns = key.map(({ name }) => `${driver.alias}.${name}`)
  const tuple = (from: number) => row(key.map(({ type }, at) => `$${from + at}::${type}`))
  const until = `${row(columns)} <= ${tuple(1)}`
  const after = `${row(columns)} > ${tuple(1 + key.length)}`
  const { cut, condition } = await cutterOf(statement)
  const lock = statement.kind === 'DeleteStmt' ? 'for update' : 'for no key update'
  const own = condition === null ? '' : `(${condition}\n) and `
  const read = (range: string) => `from ${driver.table} as ${driver.alias}\nwhere ${own}${range}\n${lock}`
  return {
    driver,
    key,
    first: cut(until),
    later: cut(`${after} and ${until}`),
    firstRange: rangeOf(driver, key, size, ''),
    reads: statement.kind === 'InsertStmt' ? null : { first: read(until), later: read(`${after} and ${until}`) },
    laterRange: rangeOf(driver, key, size, `where ${row(key.map(({ name }) => name))} > ${tuple(1)}`),
  }
}

function rangeOf({ table }: Driver, key: readonly KeyColumn[], size: number, condition: string): string {
  const names = key.map(({ name }) => name)
  const texts = names.map((name, at) => `${name}::text as key_${at}`)
  return `
    select ${texts.join(', ')}, (count(*) over ())::integer as seen
    from (select ${names.join(', ')} from ${table} ${condition} order by ${names.join(', ')} limit ${size}) as plinth_batch
    order by ${names.map(name => `${name} desc`).join(', ')}
    limit 1`
}

function row(parts: readonly string[]): string {
  return `(${parts.join(', ')})`
}

interface Cutter {
  /** The statement with one more condition. */
  readonly cut: (condition: string) => string
  /** Its own, where that speaks of no other table; else null, and a batch may read more rows than it changes. */
  readonly condition: string | null
}

async function cutterOf(statement: Statement): Promise<Cutter> {
  const { scanSync, loadModule } = await import('libpg-query')
  await loadModule()
  const { text } = statement
  const index = byteIndex(text)
  let depth = 0
  const words: { readonly word: string; readonly start: number; readonly end: number }[] = []
  for (const token of scanSync(text).tokens) {
    if (token.text === '(') depth++
    if (token.text === ')') depth--
    const start = index(token.start)
    const end = index(token.end)
    if (depth === 0 && !/COMMENT/.test(token.tokenName))
      words.push({ word: text.slice(start, end).toLowerCase(), start, end })
  }
  const stop = words.find(({ word }, at) => word === 'on' && words[at + 1]?.word === 'conflict')
  const where = words.find(({ word, start }) => word === 'where' && start < (stop?.start ?? text.length))
  const end = stop?.start ?? words.at(-1)?.end ?? text.length
  const hasCondition = conditionOf(statement) !== undefined
  if (hasCondition !== (where !== undefined)) {
    throw new PlinthError('BACKFILL_UNSUPPORTED', `The condition of "${statement.summary}" cannot be found.`, {
      at: { line: statement.line },
      hint: 'Write the select without parentheses around it.',
    })
  }
  const [, fields] = openNode(statement.tree)
  const alone = fields['fromClause'] === undefined && fields['usingClause'] === undefined
  return {
    condition: alone && where ? text.slice(where.end, end) : null,
    cut: condition =>
      where
        ? `${text.slice(0, where.end)} (${text.slice(where.end, end)}\n) and ${condition}\n${text.slice(end)}`
        : `${text.slice(0, end)}\nwhere ${condition}\n${text.slice(end)}`,
  }
}

function conditionOf({ kind, tree }: Statement): unknown {
  const [, fields] = openNode(tree)
  return kind === 'InsertStmt' ? openNode(fields['selectStmt'])[1]['whereClause'] : fields['whereClause']
}
