import { qualified } from '../../schema/model.ts'
import { alterations } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { locksSeen, opaqueKinds, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-default-partition-scan',
  category: 'locks',
  severity: 'warning',
  shape: 'statement',
  needs: 'rehearsal',
  kinds: ['CreateStmt', 'AlterTableStmt', ...opaqueKinds],
  title: 'A new partition makes PostgreSQL read the whole default partition',
  why: `Where a default partition is there, PostgreSQL must know that none of its rows belongs to the new one: it reads the default partition
from end to end under \`ACCESS EXCLUSIVE\`, and refuses the partition when it finds one.`,
  instead: `Add a check to the default partition that shuts the new bounds out, \`not valid\` first and validated in a later file, then make the
partition and drop the check. Partitions that are made ahead of time keep the default one small.`,
  examples: {
    bad: [
      {
        title: 'beside a default partition',
        before:
          'create table events (at date) partition by range (at);\ncreate table events_rest partition of events default;',
        up: "create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');",
      },
    ],
    good: [
      {
        title: 'shut out by a check',
        before:
          "create table events (at date) partition by range (at);\ncreate table events_rest partition of events default;\nalter table events_rest add check (at is not null and (at < '2026-01-01' or at >= '2026-02-01'));",
        up: "create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');",
      },
      {
        title: 'without a default partition',
        before: 'create table events (at date) partition by range (at);',
        up: "create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');",
      },
    ],
  },
  *check(view) {
    // What is read for another reason, such as a check on the whole table, has its own rule.
    if (view.statement.kind === 'AlterTableStmt' && !alterations(view).some(({ kind }) => kind === 'AttachPartition'))
      return
    for (const table of view.file.before?.tables ?? []) {
      const name = qualified(table)
      const isDefault = /^default$/i.test(table.partitionOf?.bounds ?? '')
      if (!isDefault || !view.seen?.scans.includes(name) || !locksSeen(view, 'AccessExclusiveLock').includes(name))
        continue
      yield {
        message: `Nobody can use ${sized(view, name)} while it is read for rows of the new partition.`,
        object: name,
      }
    }
  },
}
