import type { StatementRule } from '../rule.ts'
import { madeRoutines, routineKinds } from '../subjects/routines.ts'

export const rule: StatementRule = {
  name: 'security-leakproof',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: routineKinds,
  title: 'A function is trusted with rows that its caller may not see',
  why: `PostgreSQL asks \`leakproof\` functions before row security and the conditions of security barrier views. One that tells anything of its
argument, such as by an error message for some values, tells it of rows of other tenants.`,
  instead:
    'Leave `leakproof` out. Where it is needed for an index, prove that the function has no error and no side effect, and allow it with that.',
  examples: {
    bad: [
      {
        title: 'a cast that fails for some',
        up: 'create function to_number(value text) returns integer language sql immutable leakproof as $$ select value::integer $$;',
      },
    ],
    good: [
      {
        title: 'not trusted',
        up: 'create function to_number(value text) returns integer language sql immutable as $$ select value::integer $$;',
      },
    ],
  },
  *check(view) {
    for (const { leakproof, name, object } of madeRoutines(view)) {
      if (leakproof)
        yield { object, message: `${name} is leakproof, so it is asked about rows before row security is.` }
    }
  },
}
