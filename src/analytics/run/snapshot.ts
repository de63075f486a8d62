/**
 * Snapshots: a table that keeps what rows were before. A row that changed is closed and comes again; one that is gone is left, closed, or told
 * to be gone. The tables are those that dbt makes, so that either may go on where the other ended.
 */
import type { Session } from '../../engines/engine.ts'
import { crossDatabase } from '../project/cross-database.ts'
import type { Snapshot, Transform } from '../project/project.ts'
import { textOf } from '../project/shapes.ts'
import { spellingOf } from './cells.ts'
import { besides, targetName, withStaged } from './staging.ts'

export type Snapshotted = Transform & { readonly snapshot: Snapshot }

/** Keeps what the query answers now. `state` tells whether there is a table to be compared with. */
export async function takeSnapshot(
  warehouse: Session,
  transform: Snapshotted,
  query: string,
  state: 'first' | 'again',
): Promise<void> {
  const spelled = spell(warehouse, transform.snapshot)
  if (state === 'first') {
    await warehouse.query(
      `create or replace table ${targetName(warehouse, transform)} as select answered.*, ${spelled.added(transform.snapshot.uniqueKey)} from (\n${query}\n) as answered`,
    )
    return
  }
  await withStaged(warehouse, besides(transform, 'next'), query, staged =>
    compare(warehouse, transform, spelled, staged),
  )
}

async function compare(
  warehouse: Session,
  transform: Snapshotted,
  { changed, added, isKept, isGone, keyed, keys, sameKey, keyIsNull, now, word, scdId, isDeleted }: Spelled,
  staged: string,
): Promise<void> {
  const { name: quoted, columns } = spellingOf(warehouse)
  const { snapshot } = transform
  const { names } = snapshot
  const table = targetName(warehouse, transform)
  const next = besides(transform, 'next')
  const answered = await columns(warehouse, next.schema, next.table)
  const stored = new Set(
    (await columns(warehouse, transform.schema, transform.table)).map(({ name }) => name.toLowerCase()),
  )
  const fresh = answered.filter(({ name }) => !stored.has(name.toLowerCase()))
  const isChanged = changed(
    answered.map(({ name }) => name),
    fresh.map(({ name }) => name),
  )
  for (const { name, type } of fresh) await warehouse.query(`alter table ${table} add column ${quoted(name)} ${type}`)
  const kept = `(select *, ${keyed} from ${table} where ${isKept}) as kept`
  const current = `(select *, ${keyed} from ${staged}) as answered`
  const list = answered.map(({ name }) => quoted(name))
  const ours = [names.dbt_scd_id, names.dbt_updated_at, names.dbt_valid_from, names.dbt_valid_to]
  const all = [...list, ...ours.map(quoted), ...(isDeleted ? [quoted(names.dbt_is_deleted)] : [])].join(', ')
  const back = isDeleted ? ` or kept.${quoted(names.dbt_is_deleted)} = 'True'` : ''
  const gone = `from ${kept} left join ${current} on ${sameKey} where ${keyIsNull('answered')}${isGone}`
  const arrivals = `select ${list.map(name => `answered.${name}`).join(', ')}, ${added(keys('answered'))} from ${current} left join ${kept} on ${sameKey}
where ${keyIsNull('kept')} or ((${isChanged})${back})`
  const farewells = `select ${list.map(name => `kept.${name}`).join(', ')}, ${scdId([`kept.${names.dbt_scd_id}`, now])} as ${quoted(names.dbt_scd_id)}, ${now} as ${quoted(names.dbt_updated_at)}, ${now} as ${quoted(names.dbt_valid_from)}, kept.${quoted(names.dbt_valid_to)} as ${quoted(names.dbt_valid_to)}, ${word('True')} as ${quoted(names.dbt_is_deleted)} ${gone}`
  const closed = [
    `select kept.${quoted(names.dbt_scd_id)} as scd_id, ${snapshot.updatedAt === null ? now : `answered.${snapshot.updatedAt}`} as valid_to from ${current} join ${kept} on ${sameKey} where (${isChanged})${back}`,
    ...(snapshot.hardDeletes === 'ignore' ? [] : [`select kept.${quoted(names.dbt_scd_id)}, ${now} ${gone}`]),
  ].join('\nunion all\n')
  // What is added and what is closed are both found before either is written.
  const arriving = isDeleted ? `${arrivals}\nunion all\n${farewells}` : arrivals
  await withStaged(warehouse, besides(transform, 'arrived'), arriving, arrived =>
    withStaged(warehouse, besides(transform, 'closed'), closed, async ended => {
      await warehouse.query(
        `update ${table} as target set ${quoted(names.dbt_valid_to)} = ended.valid_to from ${ended} as ended
where ended.scd_id = target.${quoted(names.dbt_scd_id)} and ${isKept}`,
      )
      await warehouse.query(`insert into ${table} (${all}) select ${all} from ${arrived} as arrived`)
    }),
  )
}

interface Spelled {
  /** The columns that are added to a row of `answered` with this key. */
  readonly added: (key: readonly string[]) => string
  /** Whether `answered` differs from `kept`, by the columns that are answered, some of which the table has not had. */
  readonly changed: (columns: readonly string[], fresh: readonly string[]) => string
  /** A row that is valid now. */
  readonly isKept: string
  /** More that holds of a kept row that may be told to be gone. */
  readonly isGone: string
  /** Columns of the key beside a row's own, and how they are called. */
  readonly keyed: string
  readonly keys: (alias: string) => readonly string[]
  readonly sameKey: string
  readonly keyIsNull: (alias: string) => string
  readonly now: string
  readonly word: (text: string) => string
  readonly scdId: (parts: readonly string[]) => string
  /** Whether rows tell that they are gone. */
  readonly isDeleted: boolean
}

function spell(warehouse: Session, snapshot: Snapshot): Spelled {
  const { name: quoted, typeNamed } = spellingOf(warehouse)
  const { names, uniqueKey, updatedAt, checked, hardDeletes, validToCurrent } = snapshot
  const words = crossDatabase(warehouse.engine.name)
  const now = textOf(words['snapshot_get_time']?.([], {}, {} as never)) ?? 'current_timestamp'
  const text = typeNamed('text')
  const scdId = (parts: readonly string[]) => {
    const joined = parts.map(part => `coalesce(cast(${part} as ${text}), '')`).join(` || '|' || `)
    return textOf(words['hash']?.([joined], {}, {} as never)) ?? `md5(${joined})`
  }
  const word = (given: string) => `cast('${given}' as ${text})`
  const isDeleted = hardDeletes === 'new_record'
  const added = (key: readonly string[]) => {
    const at = updatedAt === null ? now : `answered.${updatedAt}`
    return [
      `${scdId([...key, at])} as ${quoted(names.dbt_scd_id)}`,
      `${at} as ${quoted(names.dbt_updated_at)}`,
      `${at} as ${quoted(names.dbt_valid_from)}`,
      `coalesce(nullif(${at}, ${at}), ${validToCurrent}) as ${quoted(names.dbt_valid_to)}`,
      ...(isDeleted ? [`${word('False')} as ${quoted(names.dbt_is_deleted)}`] : []),
    ].join(', ')
  }
  const until = quoted(names.dbt_valid_to)
  const isKept = validToCurrent === 'null' ? `${until} is null` : `(${until} = ${validToCurrent} or ${until} is null)`
  const keys = (alias: string) => uniqueKey.map((_, at) => `${alias}.plinth_key_${at}`)
  return {
    added,
    changed: (columns, fresh) => {
      if (checked === null) return `kept.${quoted(names.dbt_valid_from)} < answered.${updatedAt ?? ''}`
      const compared = checked === 'all' ? columns : checked
      if (compared.some(column => fresh.some(one => one.toLowerCase() === column.toLowerCase()))) return 'true'
      return compared.map(column => `kept.${quoted(column)} is distinct from answered.${quoted(column)}`).join(' or ')
    },
    isKept,
    isGone: isDeleted ? ` and kept.${quoted(names.dbt_is_deleted)} <> 'True'` : '',
    keyed: uniqueKey.map((key, at) => `(${key}) as plinth_key_${at}`).join(', '),
    keys,
    sameKey: keys('kept')
      .map((one, at) => `${one} = ${keys('answered')[at]}`)
      .join(' and '),
    keyIsNull: alias => `${keys(alias)[0] ?? ''} is null`,
    now,
    word,
    scdId,
    isDeleted,
  }
}
