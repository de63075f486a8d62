import { constraintsAdded, constraintWords, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-exclusion-constraint',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['CONSTR_EXCLUSION'],
  title: 'An exclusion constraint builds its index while nobody can use the table',
  why: `\`add exclude\` holds \`ACCESS EXCLUSIVE\` while it builds its index and compares all rows. PostgreSQL knows neither \`not valid\` nor
\`using index\` for it, so there is no way without that lock.`,
  instead: `Make a new table with the constraint, copy the rows in batches, and let views or triggers carry writes over until the change.
Where the table is small, allow it here with the reason.`,
  examples: {
    bad: [
      {
        title: 'on a table in use',
        before: 'create table stays (id bigint primary key, during daterange);',
        up: 'alter table stays add constraint stays_during exclude using gist (during with &&);',
      },
    ],
    good: [
      {
        title: 'with the table',
        up: 'create table stays (id bigint primary key, during daterange, constraint stays_during exclude using gist (during with &&));',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const constraint of constraintsAdded(view)) {
      if (constraint.type !== 'exclusion') continue
      yield {
        message: `Nobody can use ${sized(view, table)} until all its rows were compared for ${constraintWords(constraint)}.`,
        object: `${table}.${constraint.name || 'exclusion'}`,
      }
    }
  },
}
