import type { SchemaRule } from '../rule.ts'
import { isTriggerFunction, routineName } from '../subjects/routines.ts'

export const rule: SchemaRule = {
  name: 'security-definer-public',
  category: 'security',
  severity: 'warning',
  shape: 'schema',
  title: "Everybody may run a function with its owner's rights",
  why: `PostgreSQL grants \`execute\` on every new function to \`public\`. For a \`security definer\` function that hands its owner's rights to every role
that can sign in. Functions that only fire as triggers cannot be called and are left alone.`,
  instead: 'Run `revoke all on function … from public` in the same migration, and grant it to those who need it.',
  examples: {
    bad: [
      {
        title: 'nothing is revoked',
        up: `create function user_count() returns bigint language sql security definer set search_path = pg_catalog, pg_temp
as $$ select count(*) from pg_roles $$;`,
      },
    ],
    good: [
      {
        title: 'for those who need it',
        up: `create function user_count() returns bigint language sql security definer set search_path = pg_catalog, pg_temp
as $$ select count(*) from pg_roles $$;
revoke all on function user_count() from public;
grant execute on function user_count() to pg_monitor;`,
      },
      {
        title: 'a trigger',
        up: `create function stamp() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$ begin return new; end $$;`,
      },
    ],
  },
  *check({ schema }) {
    for (const routine of schema.routines) {
      if (!routine.securityDefiner || isTriggerFunction(routine)) continue
      const open = routine.grants.some(grant => grant.role === 'public' && grant.privileges.includes('execute'))
      if (!open) continue
      const kind = routine.kind === 'procedure' ? 'procedure' : 'function'
      const name = `${routine.schema}.${routine.name}(${routine.arguments})`
      yield {
        object: routineName(routine),
        message: `Everybody may run ${routine.schema}.${routine.name}, which has the rights of its owner.`,
        hint: `Run: revoke all on ${kind} ${name} from public;`,
      }
    }
  },
}
