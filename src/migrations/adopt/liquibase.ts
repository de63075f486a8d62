/**
 * Liquibase keeps a row a change set, told by its id, its author and its file. A file is applied when every change set of it is; of one that is applied in
 * part the catalog has to say what is there. Its checksums are over a text that it spells itself, so what a file said then is proved by the catalog alone.
 */
import type { Migration } from '../migration.ts'
import { type Doubt, type ForeignRow, type ForeignTool, unchecked } from './tool.ts'

export const liquibase: ForeignTool = {
  name: 'liquibase',
  layout: 'plain',
  table: 'databasechangelog',
  columns: ['id', 'author', 'filename', 'dateexecuted', 'orderexecuted', 'exectype', 'md5sum'],
  beside: ['databasechangeloglock', 'databasechangeloghistory'],
  async read(session, table) {
    const { rows } = await session.query<{ id: string; author: string; file: string; at: string }>(
      `select id, author, filename as file, dateexecuted::timestamptz as at
      from ${table}
      where exectype in ('EXECUTED', 'RERAN', 'MARK_RAN')
      order by orderexecuted`,
    )
    return {
      applied: rows.map(({ id, author, file, at }) => {
        const name = nameOf({ id, author, file })
        return { version: name, at, by: author, unchanged: unchecked }
      }),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
  settle(history, { migrations, repeatables = [] }) {
    const rows = new Map(history.applied.map(row => [row.version, row]))
    const told = (migration: Migration): Told => {
      const sets = setsOf(migration)
      const done = sets.flatMap(name => rows.get(name) ?? [])
      for (const name of sets) rows.delete(name)
      return { migration, sets: sets.length, done, row: done.at(-1) ?? null }
    }
    const files = migrations.map(told)
    const again = repeatables.map(told)
    const partly = files.filter(({ done, sets }) => done.length > 0 && done.length < sets)
    const [first, ...others] = partly.map(meaningOf)
    return {
      ...history,
      // What no file has is left as it is, and said to be gone.
      applied: [...files.flatMap(wholeRow), ...rows.values()],
      repeatables: again.flatMap(wholeRow),
      doubt: first ?? null,
      notices: [...history.notices, ...others.map(({ meaning }) => meaning)],
    }
  },
}

interface Told {
  readonly migration: Migration
  readonly sets: number
  readonly done: readonly ForeignRow[]
  /** The last of them. */
  readonly row: ForeignRow | null
}

function wholeRow({ migration: { version }, sets, done, row }: Told): ForeignRow[] {
  return row && done.length === sets ? [{ version, at: row.at, by: row.by, unchanged: unchecked }] : []
}

function meaningOf({ migration, sets, done }: Told): Doubt {
  const meaning = `Of ${migration.up.file} ${done.length} of ${sets} change sets are applied.`
  return { version: migration.version, kind: 'failed up', meaning }
}

/** Its change sets, by what tells them in the history. */
function setsOf({ up }: Migration): string[] {
  const text = up.written ?? up.text
  const whole = /^\s*--\s*liquibase formatted sql\b.*?\blogicalFilePath:(\S+)/im.exec(text)?.[1]
  return [...text.matchAll(/^\s*--\s*changeset\s+(?:"([^"]+)"|([^\s:]+)):(?:"([^"]+)"|(\S+))(.*)$/gim)].map(match => {
    const own = /\blogicalFilePath:(\S+)/i.exec(match[5] ?? '')?.[1]
    return nameOf({ author: match[1] ?? match[2] ?? '', id: match[3] ?? match[4] ?? '', file: own ?? whole ?? up.file })
  })
}

/** Paths depend on where it was called from, so the file's own name has to do. */
function nameOf({ id, author, file }: { readonly id: string; readonly author: string; readonly file: string }): string {
  return `${author}:${id} in ${file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1)}`
}
