import type { Statement } from '../../sql/parse.ts'
import type { Problem, StatementRule } from '../rule.ts'

const bytesMax = 63

export const rule: StatementRule = {
  name: 'name-length',
  category: 'naming',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  title: 'PostgreSQL cuts a name off',
  why: `A name has at most ${bytesMax} bytes. What is longer is cut with a notice that nobody sees: the object has another name than the migration says, the next
one that begins alike cannot be made, and what looks it up by its full name in the catalog does not find it.`,
  instead: `Shorten the name to ${bytesMax} bytes.`,
  examples: {
    bad: [
      {
        title: 'a constraint that tells a whole story',
        up: `create table users (
  id bigint primary key,
  age integer,
  constraint users_age_must_be_at_least_eighteen_or_the_guardian_must_have_agreed_check check (age >= 18)
);`,
      },
      {
        title: 'bytes count, not letters',
        up: 'create table users (id bigint primary key, "größenänderungsüberwachungsschlüsselübertragungsprüfung_äöüß" text);',
      },
    ],
    good: [
      {
        title: 'just short enough',
        up: 'create table users (id bigint primary key, a23456789b123456789c123456789d123456789e123456789f123456789g123 text);',
      },
      {
        title: 'long texts are no names',
        up: `comment on schema public is 'a_very_long_text_with_underscores_that_is_no_name_but_a_literal_of_a_comment';
-- a_very_long_text_with_underscores_that_is_no_name_but_a_comment_in_the_file_itself
do $$ begin perform 'a_very_long_text_with_underscores_that_is_no_name_but_a_literal_of_code'; end $$;`,
      },
    ],
  },
  check: ({ statement }) => (mayBeLong.test(statement.text) ? tooLong(statement) : undefined),
}

function* tooLong(statement: Statement): Iterable<Problem> {
  for (const { name, at } of namesIn(statement.text)) {
    const bytes = Buffer.byteLength(name)
    if (bytes <= bytesMax) continue
    const start = statement.start + at
    yield {
      message: `The name ${name} has ${bytes} bytes, and PostgreSQL cuts it off behind ${bytesMax}.`,
      range: { start, end: start + name.length },
    }
  }
}

/** Only with these can a name be too long, and most statements have none. */
const mayBeLong = /(?<![\w$])[\w$]{64}|"|[\u0080-\uffff]/

/** Words outside of literals and comments; the tree has them cut already. */
function* namesIn(text: string): Iterable<{ readonly name: string; readonly at: number }> {
  const parts =
    /'(?:[^']|'')*'|(\$[A-Za-z_\u0080-\uffff]*[\w\u0080-\uffff]*\$)[\s\S]*?\1|--[^\n]*|\/\*[\s\S]*?\*\/|"((?:[^"]|"")*)"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g
  for (const match of text.matchAll(parts)) {
    const [whole, , quoted] = match
    if (quoted !== undefined) yield { name: quoted.replaceAll('""', '"'), at: match.index + 1 }
    else if (/^[A-Za-z_\u0080-\uffff]/.test(whole)) yield { name: whole, at: match.index }
  }
}
