import { alterations, targetOf } from '../alter.ts'
import { tableIn } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { inUse } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-default-change',
  category: 'compatibility',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['ColumnDefault'],
  title: 'The default of a column changes or goes',
  why: `Inserts that leave the column out get another value from then on, or none; where the column is \`not null\` they fail. Rows that are there
keep theirs. A default where there was none is no change for anybody.`,
  instead: 'Make sure that every writer names the column, then change the default.',
  examples: {
    bad: [
      {
        title: 'dropped',
        before: "create table users (id bigint, state text default 'new');",
        up: 'alter table users alter column state drop default;',
      },
      {
        title: 'another one',
        before: "create table users (id bigint, state text default 'new');",
        up: "alter table users alter column state set default 'fresh';",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'the first one',
        before: 'create table users (id bigint, state text);',
        up: "alter table users alter column state set default 'new';",
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    for (const { kind, name, definition } of table === null ? [] : alterations(view)) {
      const drops = Object.keys(definition).length === 0
      if (table === null || kind !== 'ColumnDefault' || !isChanged(view, table, name, drops)) continue
      yield {
        message: `Inserts into ${table} that leave ${name} out get ${drops ? 'no value' : 'another value'} from here on.`,
        object: `${table}.${name}`,
      }
    }
  },
}

/** Without a catalog only a dropped default is known to have been there. */
function isChanged({ file }: StatementView, table: string, column: string, drops: boolean): boolean {
  if (!file.before) return drops
  const of = (schema: typeof file.before | undefined) =>
    tableIn(schema, table)?.columns.find(({ name }) => name === column)?.default ?? null
  const old = of(file.before)
  return old !== null && (drops || old !== of(file.step?.after))
}
