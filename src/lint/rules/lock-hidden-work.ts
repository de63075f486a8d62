import type { StatementRule } from '../rule.ts'
import { isOpaque, locksSeen, opaqueKinds, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-hidden-work',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'rehearsal',
  lastResort: true,
  kinds: opaqueKinds,
  title: 'Code of a block or a function works through a table that it keeps others out of',
  why: `What a \`do\` block, a function or a procedure runs is not in the text. The rehearsal ran it and saw a lock that keeps writers or
everybody out of a table, while all its rows were read: others wait for as long as the table is big.`,
  instead:
    'Write the statement itself into the file, where its rule can say what to write instead, such as `not valid` or `concurrently`.',
  examples: {
    bad: [
      {
        title: 'a check in a block',
        before: 'create table orders (id bigint primary key, amount numeric);',
        up: 'do $$ begin alter table orders add constraint amount_check check (amount >= 0); end $$;',
      },
    ],
    good: [
      {
        title: 'not validated yet',
        before: 'create table orders (id bigint primary key, amount numeric);',
        up: 'do $$ begin alter table orders add constraint amount_check check (amount >= 0) not valid; end $$;',
      },
      {
        title: 'reads alone',
        before: 'create table orders (id bigint primary key, amount numeric);',
        up: 'do $$ begin perform count(*) from orders; end $$;',
      },
    ],
  },
  *check(view) {
    if (!view.seen || !isOpaque(view)) return
    const shut = new Set(locksSeen(view, 'ShareLock'))
    for (const table of view.seen.scans) {
      // What writes the table anew is said by the rule for that.
      if (!shut.has(table) || view.seen.rewrites.includes(table)) continue
      yield {
        message: `Others wait for ${sized(view, table)} while code that this runs reads all of it.`,
        object: table,
      }
    }
  },
}
