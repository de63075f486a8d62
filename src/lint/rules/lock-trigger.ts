import { alterations, targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { hasLockTimeout } from '../timeouts.ts'
import { dropped, inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-trigger',
  category: 'locks',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['CreateTrigStmt', 'DropStmt', 'AlterTableStmt'],
  alters: ['Enable', 'Disable'].flatMap(verb =>
    ['AlwaysTrig', 'ReplicaTrig', 'Trig', 'TrigAll', 'TrigUser'].map(which => `${verb}${which}`),
  ),
  title: 'A trigger is made, dropped or switched on a table in use',
  why: `Making or switching a trigger takes \`SHARE ROW EXCLUSIVE\`, dropping one \`ACCESS EXCLUSIVE\`. Both are short, but they wait behind
running transactions, and others queue behind them. The rule is silent where a lock timeout ends such a wait.`,
  instead: "Write `set local lock_timeout = '2s';` at the top of the file, or let the run set it (`lockTimeout`).",
  examples: {
    bad: [
      {
        title: 'made on a table in use',
        before:
          "create table users (id bigint);\ncreate function stamp() returns trigger language plpgsql as 'begin return new; end';",
        up: 'create trigger users_stamp before update on users for each row execute function stamp();',
        settings: { runnerSetsTimeouts: false },
      },
      {
        title: 'switched off',
        before:
          "create table users (id bigint);\ncreate function stamp() returns trigger language plpgsql as 'begin return new; end';\ncreate trigger users_stamp before update on users for each row execute function stamp();",
        up: 'alter table users disable trigger users_stamp;',
        settings: { runnerSetsTimeouts: false },
      },
    ],
    good: [
      {
        title: 'with the table',
        before: "create function stamp() returns trigger language plpgsql as 'begin return new; end';",
        up: 'create table users (id bigint);\ncreate trigger users_stamp before update on users for each row execute function stamp();',
        settings: { runnerSetsTimeouts: false },
      },
      {
        title: 'the run sets a lock timeout',
        before:
          "create table users (id bigint);\ncreate function stamp() returns trigger language plpgsql as 'begin return new; end';",
        up: 'create trigger users_stamp before update on users for each row execute function stamp();',
      },
    ],
  },
  *check(view) {
    if (hasLockTimeout(view.file, view.statement.index)) return
    for (const { written, verb } of touched(view)) {
      const table = inUse(view, written)
      if (table === null) continue
      const whom = verb === 'dropped' ? 'Reads and writes' : 'Writes'
      yield {
        message: `${whom} of ${sized(view, table)} queue while its trigger is ${verb}, until the transaction ends.`,
        object: table,
      }
    }
  },
}

function touched(view: StatementView): readonly { readonly written: string; readonly verb: string }[] {
  if (view.statement.kind === 'CreateTrigStmt') return [{ written: targetOf(view), verb: 'made' }]
  const switched = alterations(view).find(({ kind }) => /^(En|Dis)able(Always|Replica)?Trig/.test(kind))
  if (switched) return [{ written: targetOf(view), verb: 'switched' }]
  return dropped(view, 'TRIGGER').map(name => ({ written: name.replace(/\.[^.]*$/, ''), verb: 'dropped' }))
}
