/**
 * The model: every version of every event with the transaction that made or ended it, kept by a trigger for each row that knows nothing of
 * marks. From it the source can be computed as of any snapshot, also of one that is long gone.
 */
import type { Client } from 'pg'
import type { World } from '../support/world.ts'

const columns =
  'organization_id, event_id, occurred_at, received_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, status, error_code, region, cost'

export async function keepHistory(world: World): Promise<void> {
  await world.sql(`
    create schema history;
    create table history.versions as
    select 0::bigint as xid, 1 as change, ${columns} from platform.usage_events with no data;
    create index on history.versions (xid);
    create function history.keep() returns trigger language plpgsql as $body$
    begin
      if tg_op <> 'INSERT' then
        insert into history.versions select pg_current_xact_id()::text::bigint, -1, ${prefixed('old')};
      end if;
      if tg_op <> 'DELETE' then
        insert into history.versions select pg_current_xact_id()::text::bigint, 1, ${prefixed('new')};
      end if;
      return null;
    end $body$;
    create trigger keep_history after insert or update or delete on platform.usage_events for each row execute function history.keep()`)
}

/** Within the transaction that drops or truncates it: rows that leave without a trigger for each of them. */
export async function forgetRows(client: Client, table: string): Promise<void> {
  await client.query(
    `insert into history.versions select pg_current_xact_id()::text::bigint, -1, ${columns} from ${table}`,
  )
}

/** Rows of the model as of a snapshot, as a query. */
export function rowsAsOf(snapshot: string): string {
  return `select ${columns} from history.versions
    where pg_visible_in_snapshot(xid::text::xid8, '${snapshot}'::pg_snapshot)
    group by ${columns} having sum(change) > 0`
}

function prefixed(row: string): string {
  return columns
    .split(', ')
    .map(column => `${row}.${column}`)
    .join(', ')
}
