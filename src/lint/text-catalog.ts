/**
 * What can be known of relations from text alone: which ones the files make, and the types of their columns. A file is read together with
 * those before it, but only when a rule asks, since most never do.
 */
import type { Script, Statement } from '../sql/parse.ts'
import { listOf, openNode, textOf } from '../sql/tree.ts'
import type { TextCatalog } from './rule.ts'
import {
  applyFact,
  type Columns,
  type Fact,
  type FindColumns,
  factsOfStatement,
  indexMade,
  plain,
  relationMade,
  renaming,
} from './text-facts.ts'

/** What a row of texts does, one after the other. */
export interface Past {
  /** Tells what the next text does. It is asked when a relation is looked for, at most once. */
  add(factsOfNext: () => readonly Fact[]): void
  /** The relations as they are behind all that was told until now. */
  now(): FindColumns
}

export function openPast(): Past {
  const told: (() => readonly Fact[])[] = []
  const past = timeline(() => undefined)
  let next = 0
  return {
    add: factsOfNext => told.push(factsOfNext),
    now() {
      const end = told.length
      return relation => {
        for (; next < end; next++) for (const fact of told[next]?.() ?? []) past.follow(next, fact)
        return past.find(relation, end)
      }
    },
  }
}

/** The catalog of a file; `earlier` answers what the files before it left. */
export function textCatalog(script: Script, earlier: FindColumns): TextCatalog {
  let made: ReadonlyMap<string, readonly number[]> | undefined
  const own = timeline(earlier)
  let next = 0
  /** Rules ask from the first to the last, so each statement is followed once. */
  const before = (relation: string, statement: number): Columns | undefined => {
    for (; next < statement; next++) {
      const passed = script.statements[next]
      if (passed) for (const fact of factsOfStatement(passed)) own.follow(next, fact)
    }
    return own.find(plain(relation), statement)
  }
  return {
    madeHere(relation, statement) {
      made ??= makersIn(script)
      return made.get(plain(relation))?.some(maker => maker < statement) ?? false
    },
    knows: (relation, statement) => before(relation, statement) !== undefined,
    typeOf: (relation, column, statement) => before(relation, statement)?.get(column) ?? null,
  }
}

/** Each relation with all that it has been, so that any point of the past can be asked at no cost. */
function timeline(before: FindColumns) {
  const states = new Map<string, { readonly at: number; readonly columns: Columns | null }[]>()
  /** As it is in front of that place. */
  const find = (relation: string, place: number): Columns | undefined => {
    const last = states.get(relation)?.findLast(state => state.at < place)
    return last ? (last.columns ?? undefined) : before(relation)
  }
  const follow = (at: number, fact: Fact) => {
    for (const [relation, columns] of applyFact(fact, name => find(name, Number.POSITIVE_INFINITY))) {
      const known = states.get(relation)
      if (known) known.push({ at, columns })
      else states.set(relation, [{ at, columns }])
    }
  }
  return { find, follow }
}

/** Which statements make a relation or an index of that name. */
function makersIn({ statements }: Script): ReadonlyMap<string, readonly number[]> {
  const makers = new Map<string, number[]>()
  for (const statement of statements)
    for (const name of namesMade(statement, makers)) {
      const known = makers.get(name)
      if (known) known.push(statement.index)
      else makers.set(name, [statement.index])
    }
  return makers
}

function namesMade({ tree }: Statement, sofar: ReadonlyMap<string, unknown>): string[] {
  const [kind, fields] = openNode(tree)
  const made = relationMade(kind, fields) || indexMade(kind, fields)
  if (made) return [made]
  if (kind === 'CreateSchemaStmt') {
    return listOf(fields, 'schemaElts').flatMap(node => {
      const [inner, own] = openNode(node)
      const name = relationMade(inner, own)
      return name ? [name.includes('.') ? name : plain(`${textOf(fields, 'schemaname')}.${name}`)] : []
    })
  }
  // What was made here and then renamed is still nobody's.
  const renamed = renaming(kind, fields)
  return renamed && sofar.has(renamed.from) ? [renamed.to] : []
}
