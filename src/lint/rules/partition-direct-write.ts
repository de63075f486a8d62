import { fieldsOf, listOf, openNode, relationName } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { objectName, tableNamed } from '../subjects/columns.ts'
import { maker } from '../subjects/partition-statements.ts'

export const rule: StatementRule = {
  name: 'partition-direct-write',
  category: 'partitions',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'],
  title: 'A migration writes to a partition by its name',
  why: `A statement that is aimed at a partition fires the partition's statement triggers and policies and not the parent's, so what counts,
audits or guards the table does not see it. It also names a partition that another database may not have.`,
  instead:
    'Write to the parent, with a condition on the partition column: PostgreSQL leaves out the other partitions by itself.',
  examples: {
    bad: [
      {
        title: 'an update',
        before: `create table visits (id bigint, at date, seen boolean) partition by range (at);
create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');`,
        up: 'update visits_2026 set seen = true where id = 1;',
        only: 'rehearsal',
      },
      {
        title: 'an insert into a partition of the same file',
        up: `create table visits (id bigint, at date) partition by range (at);
create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');
insert into visits_2026 values (1, '2026-02-03');`,
      },
    ],
    good: [
      {
        title: 'to the parent',
        before: `create table visits (id bigint, at date, seen boolean) partition by range (at);
create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');`,
        up: "update visits set seen = true where id = 1 and at >= '2026-01-01' and at < '2027-01-01';",
      },
    ],
  },
  *check(view) {
    const relation = relationName(fieldsOf(view.fields, 'relation'))
    const parent = relation === '' ? null : parentOf(view, relation)
    if (parent === null) return
    yield {
      object: objectName(relation),
      message: `${relation} is a partition of ${parent}, whose statement triggers and policies do not hold here.`,
      hint: `Write to ${parent}, with a condition on its partition column.`,
    }
  },
}

function parentOf(view: StatementView, relation: string): string | null {
  const made = maker(view, relation, 'partitions')
  if (made) return relationName(openNode(listOf(made.fields, 'inhRelations')[0])[1])
  return tableNamed(view.file.before, objectName(relation))?.partitionOf?.parent ?? null
}
