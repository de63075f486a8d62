import { fieldsOf, relationName } from '../../sql/tree.ts'
import { alterations, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized, wasSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-attach-partition',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'rehearsal',
  kinds: ['AlterTableStmt'],
  title: 'A table is attached as a partition while all its rows are tried against the bounds',
  why: `\`attach partition\` holds \`ACCESS EXCLUSIVE\` on the table that becomes a partition while it reads all of it, unless a valid check on
that table already says what the bounds say.`,
  instead: `Add a check that says what the bounds say, \`not valid\` first, validate it in a later file, then attach and drop the check.
For a range the check has \`<column> is not null\` as well.`,
  examples: {
    bad: [
      {
        title: 'without a check',
        before: 'create table events (at date) partition by range (at);\ncreate table old (at date);',
        up: "alter table events attach partition old for values from (minvalue) to ('2026-01-01');",
      },
    ],
    good: [
      {
        title: 'with a check that says the same',
        before:
          "create table events (at date) partition by range (at);\ncreate table old (at date, check (at is not null and at < '2026-01-01'));",
        up: "alter table events attach partition old for values from (minvalue) to ('2026-01-01');",
      },
      {
        title: 'made in the same file',
        before: 'create table events (at date) partition by range (at);',
        up: "create table old (at date);\nalter table events attach partition old for values from (minvalue) to ('2026-01-01');",
      },
    ],
  },
  *check(view) {
    for (const { kind, definition } of alterations(view)) {
      const partition = kind === 'AttachPartition' ? inUse(view, relationName(fieldsOf(definition, 'name'))) : null
      if (partition === null || !wasSeen(view, 'scans', partition)) continue
      yield {
        message: `Nobody can use ${sized(view, partition)} while every row is tried against the bounds that ${targetOf(view)} gives it.`,
        object: partition,
      }
    }
  },
}
