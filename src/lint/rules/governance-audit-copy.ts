import { qualified, type Routine } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { holdsRestricted } from '../subjects/classes.ts'

const id = { class: 'internal', protection: 'none', retentionDays: 30, purge: 'delete' } as const
const classes = {
  'public.users': { id, name: id, phone: { ...id, class: 'restricted', protection: 'encrypted' } as const },
  'public.changes': { id, row: { ...id, class: 'confidential' } as const },
} as const
const tables = `create table users (id bigint primary key, name text not null, phone bytea not null);
create table changes (id bigint generated always as identity primary key, row jsonb not null);`

export const rule: SchemaRule = {
  name: 'governance-audit-copy',
  category: 'governance',
  severity: 'warning',
  shape: 'schema',
  title: 'A trigger copies whole rows of a table with restricted columns',
  why: `\`to_jsonb(new)\` writes every column, also those that are added later, into a log that is kept for years and is meant never to change. Erasing the
person then means either to break the log or to leave the data in it.`,
  instead: "List the columns that the log needs, or take the restricted ones out: `to_jsonb(new) - 'phone'`.",
  examples: {
    bad: [
      {
        title: 'the row as it is',
        classes,
        before: tables,
        up: `create function note_change() returns trigger language plpgsql as $$
begin
  insert into changes (row) values (to_jsonb(new));
  return new;
end $$;
create trigger users_note_change after update on users for each row execute function note_change();`,
      },
    ],
    good: [
      {
        title: 'without what is restricted',
        classes,
        before: tables,
        up: `create function note_change() returns trigger language plpgsql as $$
begin
  insert into changes (row) values (to_jsonb(new) - 'phone');
  return new;
end $$;
create trigger users_note_change after update on users for each row execute function note_change();`,
      },
      {
        title: 'by column',
        classes,
        before: tables,
        up: `create function note_change() returns trigger language plpgsql as $$
begin
  insert into changes (row) values (jsonb_build_object('id', new.id));
  return new;
end $$;
create trigger users_note_change after update on users for each row execute function note_change();`,
      },
    ],
  },
  *check({ schema, classOf }) {
    const copying = schema.routines.filter(copiesRows)
    if (copying.length === 0) return
    for (const table of schema.tables.filter(one => one.partitionOf === null && holdsRestricted(one, classOf))) {
      for (const { name, definition } of table.triggers) {
        const routine = copying.find(one =>
          new RegExp(`EXECUTE FUNCTION "?${one.schema}"?\\."?${one.name}"?\\(`).test(definition),
        )
        if (!routine) continue
        yield {
          object: `${qualified(table)}.${name}`,
          message: `The trigger ${name} copies whole rows of ${qualified(table)}, which has restricted columns.`,
        }
      }
    }
  },
}

/** Nothing is taken out of the row behind the call. */
function copiesRows({ definition }: Routine): boolean {
  return /\b(to_jsonb?|row_to_json|hstore)\s*\(\s*(new|old)\s*\)(?!\s*(::\w+\s*)?(-|#-))/i.test(definition)
}
