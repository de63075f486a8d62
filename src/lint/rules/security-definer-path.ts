import type { StatementRule } from '../rule.ts'
import { madeRoutines, routineKinds } from '../subjects/routines.ts'

export const rule: StatementRule = {
  name: 'security-definer-path',
  category: 'security',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  textKinds: routineKinds,
  title: "A function with its owner's rights looks names up where its caller says",
  why: `A \`security definer\` function runs with the rights of its owner and with the search path of whoever calls it. A caller who may create a
table or a function anywhere, if only a temporary one, puts it in front and has the owner run it.`,
  instead:
    'Add `set search_path = pg_catalog, pg_temp`, with `pg_temp` last, and write every name with its schema; or write the body as `return …`, which is bound at once.',
  examples: {
    bad: [
      {
        title: 'no path of its own',
        up: `create function is_admin(who text) returns boolean language sql stable security definer
as $$ select exists (select from pg_roles where rolname = who) $$;`,
      },
      {
        title: 'in a block of code',
        up: `do $do$ begin
  execute 'create function is_admin(who text) returns boolean language sql security definer as $$ select true $$';
end $do$;`,
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'a path of its own',
        up: `create function is_admin(who text) returns boolean language sql stable security definer set search_path = pg_catalog, pg_temp
as $$ select exists (select from pg_roles where rolname = who) $$;
revoke all on function is_admin(text) from public;`,
      },
      {
        title: 'set right behind',
        up: `create function is_admin(who text) returns boolean language sql stable security definer
as $$ select exists (select from pg_roles where rolname = who) $$;
alter function is_admin(text) set search_path = '';
revoke all on function is_admin(text) from public;`,
      },
      {
        title: 'bound when it is made',
        up: `create function is_admin(who text) returns boolean language sql stable security definer
return exists (select from pg_roles where rolname = who);
revoke all on function is_admin(text) from public;`,
      },
      {
        title: "with its caller's rights",
        up: 'create function one() returns integer language sql immutable as $$ select 1 $$;',
      },
    ],
  },
  *check(view) {
    for (const routine of madeRoutines(view)) {
      if (!routine.securityDefiner || routine.setsSearchPath || routine.bound) continue
      yield {
        object: routine.object,
        message: `${routine.name} runs with the rights of its owner and looks names up in the path of its caller.`,
        hint: 'Add: set search_path = pg_catalog, pg_temp',
      }
    }
  },
}
