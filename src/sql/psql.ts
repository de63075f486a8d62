/** What to write in place of a command that psql carries out itself, so that the server never sees it. */

/** `command` as it is written, such as `\connect`. */
export function psqlHint(command: string): string {
  return (
    hints.find(([names]) => names.test(command))?.[1] ??
    'Only psql knows it: take it out, or write what it does as SQL.'
  )
}

const hints: readonly (readonly [command: RegExp, hint: string])[] = [
  [
    /^\\(?:set|unset|gset|prompt|getenv)$/,
    "Write the value itself where the variable stands, or choose it in SQL: variables are psql's own.",
  ],
  [
    /^\\(?:i|ir|include|include_relative)$/,
    'Put the text of that file here, or make it a migration of its own: a version is what its own file says.',
  ],
  [
    /^\\(?:c|connect)$/,
    'A migration runs on the database of its track: take it out, and keep other databases in tracks of their own.',
  ],
  [/^\\copy$/, 'Write "copy … from stdin;" with the rows below it up to a line of \\., or the rows as INSERT.'],
  [/^\\(?:gexec|g|gx)$/, 'Run what the query writes by EXECUTE in a DO block.'],
  [/^\\(?:if|elif|else|endif)$/, 'Decide in a DO block, or write a migration for each case.'],
  [/^\\(?:!|cd|setenv|o|out|w|write)$/, 'What happens outside of the database belongs to a hook.'],
  [/^\\(?:d\w*|l|x|a|t|H|f)$/, 'It only shows something: take it out.'],
]
