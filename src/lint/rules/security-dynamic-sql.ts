import type { StatementRule } from '../rule.ts'
import { unquotedParameters } from '../subjects/dynamic-sql.ts'
import { madeRoutines, routineKinds } from '../subjects/routines.ts'

export const rule: StatementRule = {
  name: 'security-dynamic-sql',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: routineKinds,
  title: 'A parameter becomes part of a statement',
  why: `Text that is joined into a statement is read as SQL: whoever chooses it chooses the statement, with the rights that the function has. Only
parameters that can hold any text are looked at, and only where they are joined without being quoted.`,
  instead: "Give values by `execute … using`, and write names with `format('%I', …)` or `quote_ident(…)`.",
  examples: {
    bad: [
      {
        title: 'joined',
        up: `create function row_count(relation text) returns bigint language plpgsql as $$
declare result bigint;
begin
  execute 'select count(*) from ' || relation into result;
  return result;
end $$;`,
      },
      {
        title: 'formatted as it is',
        up: `create function row_count(relation text) returns bigint language plpgsql as $$
declare result bigint;
begin
  execute format('select count(*) from %s', relation) into result;
  return result;
end $$;`,
      },
    ],
    good: [
      {
        title: 'quoted, and given apart',
        up: `create function row_count(relation text, kind text) returns bigint language plpgsql as $$
declare result bigint;
begin
  execute format('select count(*) from %I where kind = $1', relation) into result using kind;
  execute 'select count(*) from ' || quote_ident(relation) into result;
  return result;
end $$;`,
      },
      {
        title: 'a type that only names a table',
        up: `create function row_count(relation regclass) returns bigint language plpgsql as $$
declare result bigint;
begin
  execute format('select count(*) from %s', relation) into result;
  return result;
end $$;`,
      },
    ],
  },
  *check(view) {
    for (const routine of madeRoutines(view)) {
      if (routine.language !== 'plpgsql') continue
      for (const parameter of unquotedParameters(routine.body, routine.textParameters)) {
        yield {
          object: `${routine.object}.${parameter}`,
          message: `${routine.name} joins its parameter ${parameter} into a statement without quoting it.`,
        }
      }
    }
  },
}
