import { textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { madeRoutines, routineKinds } from '../subjects/routines.ts'

const untrusted = /^(c|internal|pl\w*u|plpython3?u|plsh|plr|pljavau)$/

export const rule: StatementRule = {
  name: 'security-language',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: [...routineKinds, 'CreateExtensionStmt'],
  title: 'Code runs in a language that can do everything on the server',
  why: `An untrusted language (\`c\`, \`plpython3u\`, \`plperlu\`, …) reads files, opens connections and runs programs as the operating system's user of the
server. Whoever may change such a function owns the server, and most providers do not offer these languages.`,
  instead: 'Use `sql` or `plpgsql`, or do the work in a service.',
  examples: {
    bad: [
      {
        title: 'a function in C',
        up: "create function add_one(integer) returns integer language c strict as '/nowhere/adds', 'add_one';",
        fails: true,
        only: 'text',
      },
    ],
    good: [
      {
        title: 'a trusted one',
        up: 'create function add_one(value integer) returns integer language sql immutable as $$ select value + 1 $$;',
      },
    ],
  },
  *check(view) {
    const extension = view.statement.kind === 'CreateExtensionStmt' ? textOf(view.fields, 'extname') : ''
    if (extension !== '' && untrusted.test(extension))
      yield { object: extension, message: `The language ${extension} can do everything that the server's user can.` }
    for (const { name, object, language } of madeRoutines(view)) {
      if (untrusted.test(language))
        yield {
          object,
          message: `${name} is written in ${language}, which can do everything that the server's user can.`,
        }
    }
  },
}
