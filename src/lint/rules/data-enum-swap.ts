import { type Enum, qualified, type Schema } from '../../schema/model.ts'
import { alterations, targetOf } from '../alter.ts'
import { isSame, tableIn } from '../catalog.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-enum-swap',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'rehearsal',
  kinds: ['AlterTableStmt'],
  title: 'A column changes to an enum that lacks values of the old one',
  why: `Rows with a value that the new type lacks make the statement fail in production, where the scratch database had none; or a \`using\` turns
them into something else, which nothing turns back but the archive.`,
  instead: 'Move the rows to another value in an earlier file, and check before this one that none is left.',
  examples: {
    bad: [
      {
        title: 'a value less',
        before:
          "create type mood as enum ('good', 'bad', 'odd');\ncreate table users (id bigint primary key, mood mood);",
        up: "alter type mood rename to mood_old;\ncreate type mood as enum ('good', 'bad');\nalter table users alter column mood type mood using mood::text::mood;\ndrop type mood_old;",
      },
    ],
    good: [
      {
        title: 'a value more',
        before: "create type mood as enum ('good', 'bad');\ncreate table users (id bigint primary key, mood mood);",
        up: "alter type mood rename to mood_old;\ncreate type mood as enum ('good', 'bad', 'odd');\nalter table users alter column mood type mood using mood::text::mood;\ndrop type mood_old;",
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    for (const { kind, name } of table === null ? [] : alterations(view)) {
      if (table === null || kind !== 'AlterColumnType') continue
      const [old, next] = [enumOf(view.file.before, table, name), enumOf(view.file.step?.after, table, name)]
      const missing = old && next ? old.values.filter(value => !next.values.includes(value)).length : 0
      if (!old || !next || missing === 0) continue
      yield {
        message: `${name} of ${sized(view, table)} changes to an enum that lacks ${missing} of the ${old.values.length} old values.`,
        object: `${table}.${name}`,
      }
    }
  },
}

function enumOf(schema: Schema | null | undefined, table: string, column: string): Enum | undefined {
  const type = tableIn(schema, table)?.columns.find(({ name }) => name === column)?.type
  return type === undefined ? undefined : schema?.enums.find(one => isSame(qualified(one), type))
}
