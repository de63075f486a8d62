/** A column that may not be null any more: a trigger fills what old code leaves out, until no code leaves it out. */
import { identifier, mentions, qualifiedName, shortName } from './names.ts'
import { type ExpandRequest, type Subject, usage } from './request.ts'
import { createSync, dropSync, noteWrite, quietChecks, redundantHead, type Sync, witnessTable } from './sync.ts'
import type { Drafts } from './draft.ts'

/** Pure. Throws USAGE. */
export function draftNotNull({ table, column, quietMs }: Subject, request: ExpandRequest): Drafts {
  const relation = qualifiedName(table.schema, table.name)
  const name = identifier(column.name)
  if (!column.nullable) throw usage(`${relation}.${name} is not null already.`, 'Nothing is to be done.')
  const fill = request.fill ?? column.default
  if (fill === null)
    throw usage(`Nothing is known to stand in for null in ${relation}.${name}.`, 'Pass --fill, such as --fill 0.')
  if (mentions(fill, column.name)) throw usage('--fill names the column that it fills.', 'Use another expression.')
  const filled = identifier(shortName('plinth', table.name, column.name, 'filled'))
  const sync: Sync = {
    schema: table.schema,
    table: table.name,
    column: column.name,
    countsMentions: false,
    body: `  if new.${name} is null then
    new.${name} := ${fill};
    ${noteWrite({ schema: table.schema, table: table.name, column: column.name })}
  end if;`,
  }
  const add = `alter table ${relation} add constraint ${filled} check (${name} is not null) not valid`
  return {
    what: `set-not-null ${table.schema}.${table.name}.${column.name}`,
    notices: [],
    steps: [
      {
        title: `expand ${table.name} ${column.name}`,
        up: [...createSync(sync), add],
        upHead: ['lock-timeout=2s risk=low'],
        upWhy: 'Old code may go on writing nulls: the trigger puts the value in their place, and notes that it had to.',
        down: [`alter table ${relation} drop constraint ${filled}`, ...dropSync(sync)],
        downHead: ['lock-timeout=2s', redundantHead([witnessTable(sync)])],
        downWhy: 'Nulls may be written again.',
      },
      {
        title: `migrate ${table.name} ${column.name}`,
        up: [
          `update ${relation}\nset ${name} = ${fill}\nwhere ${name} is null`,
          `alter table ${relation} validate constraint ${filled}`,
        ],
        upHead: ['batch=1000 pause=10ms lock-timeout=2s risk=low'],
        upWhy:
          'Fills the nulls that are there, in batches that are resumed after an interruption, and proves that none is left.',
        down: [`alter table ${relation} drop constraint ${filled}`, add],
        downHead: ['lock-timeout=2s'],
        downWhy: 'What was filled stays filled: the trigger would fill it again.',
      },
      {
        title: `contract ${table.name} ${column.name}`,
        up: [
          `alter table ${relation} alter column ${name} set not null`,
          `alter table ${relation} drop constraint ${filled}`,
          ...dropSync(sync),
        ],
        upHead: ['lock-timeout=2s risk=medium', redundantHead([witnessTable(sync)])],
        upWhy:
          'Nulls are refused from here on. The checks beside this file refuse it while they are still being written.',
        down: [
          ...createSync(sync),
          add,
          `alter table ${relation} validate constraint ${filled}`,
          `alter table ${relation} alter column ${name} drop not null`,
        ],
        downHead: ['transaction=statement lock-timeout=2s'],
        downWhy: 'Brings back the trigger that fills nulls.',
        checks: quietChecks(sync, quietMs),
      },
    ],
  }
}
