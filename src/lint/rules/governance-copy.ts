import { type Column, qualified, type Schema, type Table, type View } from '../../schema/model.ts'
import { type ClassOf, dataClasses } from '../../schema/classification.ts'
import type { SchemaRule } from '../rule.ts'
import { selectedText, tablesRead } from '../subjects/views.ts'

const id = { class: 'internal', protection: 'none', retentionDays: 30, purge: 'delete' } as const
const restricted = { ...id, class: 'restricted', protection: 'encrypted' } as const
const users = 'create table users (id bigint primary key, phone bytea not null);'

export const rule: SchemaRule = {
  name: 'governance-copy',
  category: 'governance',
  severity: 'error',
  shape: 'schema',
  title: 'Restricted data is shown or copied under a lower class',
  why: `A view or a rollup is read by more people than its tables, and a materialized one is a second copy that erasure and retention must reach. What it
selects of a restricted column is as restricted there, whatever it is called.`,
  instead:
    'Leave the column out, count it instead of showing it, or classify the column of the view as restricted too, so that erasure reaches it.',
  examples: {
    bad: [
      {
        title: 'a view shows it',
        classes: { 'public.users': { id, phone: restricted } },
        before: users,
        up: 'create view contacts as select id, phone as number from users;',
      },
      {
        title: 'a materialized view keeps it as something harmless',
        classes: { 'public.users': { id, phone: restricted }, 'public.contacts': { id, phone: id } },
        before: users,
        up: 'create materialized view contacts as select id, phone from users;',
      },
    ],
    good: [
      {
        title: 'as restricted as its source',
        classes: { 'public.users': { id, phone: restricted }, 'public.contacts': { id, phone: restricted } },
        before: users,
        up: 'create view contacts as select id, phone from users;',
      },
      {
        title: 'only compared and counted',
        classes: { 'public.users': { id, phone: restricted } },
        before: users,
        up: 'create view contacts as select count(distinct phone) as phones from users where phone is not null;',
      },
    ],
  },
  *check({ schema, classOf }) {
    // To find what views read takes long, and most schemas declare nothing of which a copy would matter.
    if (!schema.tables.some(table => restrictedColumns(table, classOf).length > 0)) return
    for (const view of schema.views) {
      for (const { table, source, shown } of copies(view, schema, classOf)) {
        if (classOf(qualified(view), shown)?.class === 'restricted') continue
        yield {
          object: `${qualified(view)}.${shown}`,
          message: `${qualified(view)}.${shown} ${view.materialized ? 'keeps a copy of' : 'shows'} ${qualified(table)}.${source}, which is restricted.`,
        }
      }
    }
  },
}

interface Copy {
  readonly table: Table
  readonly source: string
  readonly shown: string
}

/** Columns of the view whose expression names a restricted column; one item of the list for each column of the view. */
function copies(view: View, schema: Schema, classOf: ClassOf): readonly Copy[] {
  const items = itemsOf(selectedText(view))
  const named =
    items.length === view.columns.length ? view.columns.map((column, at) => ({ column, text: items[at] ?? '' })) : []
  return tablesRead(view, schema).flatMap(table =>
    restrictedColumns(table, classOf).flatMap(source =>
      named
        .filter(({ text }) => names(text, source))
        .map(({ column }) => ({ table, source: source.name, shown: column.name })),
    ),
  )
}

function restrictedColumns(table: Table, classOf: ClassOf): readonly Column[] {
  return table.columns.filter(column => isRestricted(classOf(qualified(table), column.name)?.class))
}

function isRestricted(name: (typeof dataClasses)[number] | undefined): boolean {
  return name === dataClasses.at(-1)
}

/** PostgreSQL writes one column a line; commas within calls do not end one. */
function itemsOf(selected: string): readonly string[] {
  const list = selected.replace(/^\s*(WITH [\s\S]*?\)\s*)?SELECT( DISTINCT( ON \([^)]*\))?)?/i, '')
  return list.split(/,\n/).map(item => item.trim())
}

function names(text: string, { name }: Column): boolean {
  const expression = text.replace(/ AS "?[\w$ ]+"?$/, '').replaceAll(/'(?:[^']|'')*'/g, "''")
  return new RegExp(`(?<![\\w$])"?${name.replaceAll('$', '\\$')}"?(?![\\w$(])`).test(expression)
}
