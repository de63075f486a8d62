import { columnsAdded, constraintsAdded, constraintWords, targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-foreign-key-validation',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['CONSTR_FOREIGN'],
  title: 'A foreign key is added and checked in one go, while nobody can write to either table',
  why: `\`add foreign key\` holds \`SHARE ROW EXCLUSIVE\` on **both** tables while it looks up every row: writes to the two of them wait for as long
as the table is big. A new column without a default holds nothing to look up, so its reference is free.`,
  instead: `Add it with \`not valid\`, and \`alter table … validate constraint …\` in a later file, which lets writes go on.
PostgreSQL before 18 refuses \`not valid\` on a partitioned table: add the key to each partition in that way first.`,
  examples: {
    bad: [
      {
        title: 'on a table in use',
        before:
          'create table teams (id bigint primary key);\ncreate table users (id bigint primary key, team_id bigint);',
        up: 'alter table users add constraint users_team_id_fkey foreign key (team_id) references teams (id);',
      },
      {
        title: 'on a new column that is filled by its default',
        before: 'create table teams (id bigint primary key);\ncreate table users (id bigint primary key);',
        up: 'alter table users add column team_id bigint default null::bigint references teams (id);',
      },
    ],
    good: [
      {
        title: 'not validated yet',
        before:
          'create table teams (id bigint primary key);\ncreate table users (id bigint primary key, team_id bigint);',
        up: 'alter table users add constraint users_team_id_fkey foreign key (team_id) references teams (id) not valid;',
      },
      {
        title: 'on a new column without a default',
        before: 'create table teams (id bigint primary key);\ncreate table users (id bigint primary key);',
        up: 'alter table users add column team_id bigint references teams (id);',
      },
      {
        title: 'on a table of the same file',
        before: 'create table teams (id bigint primary key);',
        up: 'create table users (id bigint primary key, team_id bigint);\nalter table users add constraint users_team foreign key (team_id) references teams (id);',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const constraint of constraintsAdded(view)) {
      if (constraint.type !== 'foreign key' || constraint.notValid) continue
      if (constraint.inline && !checksInline(view)) continue
      const other = inUse(view, constraint.references)
      const both = other && other !== table ? ` and ${sized(view, other)}` : ''
      yield {
        message: `Writes to ${sized(view, table)}${both} wait until ${constraintWords(constraint)} has looked up every row.`,
        object: `${table}.${constraint.name || constraint.columns.join('_')}`,
      }
    }
  },
}

/** The parser of PostgreSQL leaves the check out when the statement gives no default and no key of its own. */
function checksInline(view: StatementView): boolean {
  return (
    columnsAdded(view).some(({ defaultNode }) => defaultNode !== null) ||
    constraintsAdded(view).some(({ type, inline }) => type === 'foreign key' && !inline)
  )
}
