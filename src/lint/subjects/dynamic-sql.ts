/** Where code of PL/pgSQL joins what it was given into a statement. */

/** The parameters that reach an `execute` as text and unquoted, in their order. */
export function unquotedParameters(body: string, parameters: readonly string[]): readonly string[] {
  const built = statementsBuilt(withoutComments(body)).map(withoutQuotedParts).join('\n')
  return parameters.filter(name =>
    new RegExp(`(?<![\\w$.])"?${name.replaceAll('$', '\\$')}"?(?![\\w$])`, 'i').test(built),
  )
}

/** The expression behind each `execute`, up to where its result or its values begin. */
function statementsBuilt(body: string): readonly string[] {
  const form = /\bexecute\s+(?!function\b|procedure\b|on\b)((?:'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\2\$|[^;'])*)/gi
  return [...body.matchAll(form)].map(match => beforeWord(match[1] ?? ''))
}

function beforeWord(expression: string): string {
  for (const match of expression.matchAll(/'(?:[^']|'')*'|\b(?:into|using)\b/gi))
    if (!match[0].startsWith("'")) return expression.slice(0, match.index)
  return expression
}

/** Takes out literals and everything that is quoted or of a type that holds no SQL. */
function withoutQuotedParts(expression: string): string {
  return withoutSafeArguments(expression)
    .replaceAll(/'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/g, "''")
    .replaceAll(/\bquote_(?:ident|literal|nullable)\s*\((?:[^()]|\([^()]*\))*\)/gi, "''")
    .replaceAll(/"?\w+"?\s*::\s*(?:reg\w+|int\w*|integer|bigint|smallint|numeric|uuid|boolean|date)\b/gi, "''")
}

/** In `format('… %I … %s', a, b)` the first argument is quoted and the second one is not. */
function withoutSafeArguments(expression: string): string {
  return expression.replaceAll(
    /\bformat\s*\(\s*('(?:[^']|'')*'|\$\$[\s\S]*?\$\$)\s*,((?:'(?:[^']|'')*'|\((?:[^()']|'(?:[^']|'')*'|\([^()]*\))*\)|[^()'])*)\)/gi,
    (_, form: string, list: string) => {
      const given = list.split(/,(?![^(]*\))/)
      const kinds = [...form.matchAll(/%(?:(\d+)\$)?-?\d*([sIL%])/g)].filter(match => match[2] !== '%')
      const open = kinds.flatMap(([, position, kind], at) =>
        kind === 's' ? [given[position === undefined ? at : Number(position) - 1] ?? ''] : [],
      )
      return open.join(' || ')
    },
  )
}

function withoutComments(body: string): string {
  return body.replaceAll(/'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\//g, match => (match.startsWith("'") ? match : ' '))
}
