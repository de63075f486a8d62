import { alterations, targetOf } from '../alter.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-disable-trigger',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['DisableTrig', 'DisableTrigAll', 'DisableTrigUser', 'EnableReplicaTrig'],
  title: 'Triggers of a table are switched off and stay off',
  why: `What the triggers keep (audit, rollups, copies in other columns, and with \`all\` foreign keys too) is not kept from then on, and no later
statement makes up for it. With \`enable replica\` they fire for replication alone.`,
  instead: 'Switch them on again at the end of the same file, and bring up what they would have done.',
  examples: {
    bad: [
      {
        title: 'all of them',
        before: 'create table users (id bigint);',
        up: 'alter table users disable trigger all;',
      },
      {
        title: 'for all but replication',
        before: `create table users (id bigint);
create function stamp() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger users_stamp before update on users for each row execute function stamp();`,
        up: 'alter table users enable replica trigger users_stamp;',
      },
    ],
    good: [
      {
        title: 'on again at the end',
        before: 'create table users (id bigint);',
        up: 'alter table users disable trigger user;\nupdate users set id = 1 where id = 2;\nalter table users enable trigger user;',
      },
    ],
  },
  *check(view) {
    const off = alterations(view).find(({ kind }) => /^(DisableTrig|EnableReplicaTrig)/.test(kind))
    const table = off && inUse(view, targetOf(view))
    if (!table || comesBack(view, table)) return
    const which = off.name || (off.kind === 'DisableTrigAll' ? 'all triggers' : 'its triggers')
    yield {
      message: `${which} of ${sized(view, table)} stay off from here on.`,
      object: `${table}.${off.name || 'triggers'}`,
    }
  },
}

function comesBack({ file, statement }: StatementView, table: string): boolean {
  return statementsOf(file, 'AlterTableStmt').some(
    later =>
      later.statement.index > statement.index &&
      isSame(table, targetOf(later)) &&
      alterations(later).some(({ kind }) => /^Enable(Always)?Trig/.test(kind)),
  )
}
