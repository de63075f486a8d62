/** goose: between `ENVSUB ON` and `ENVSUB OFF` a file has variables, `$NAME` or `${NAME}`, also with a default. */
import type { MigrationFile } from '../migration.ts'
import { filledIn, type Placeholders, unknownPlaceholder } from './placeholders.ts'

/** Throws SQL_UNSUPPORTED at a variable that has neither value nor default, where goose would write nothing; not so in a comment. */
export function fillInVariables(source: MigrationFile, values: Placeholders): MigrationFile {
  if (!asks.test(source.text)) return source
  let isOn = false
  const lines = source.text.split('\n').map((line, at) => {
    const asked = asks.exec(line)?.[1]?.toLowerCase()
    if (asked !== undefined) isOn = asked === 'on'
    if (!isOn || /^\s*--/.test(line)) return line
    return line.replace(variable, (_, braced, operator, fallback, bare) => {
      const name = String(braced ?? bare)
      const value = values.get(name)
      const isGiven = operator === ':-' ? Boolean(value) : value !== undefined
      if (isGiven) return value ?? ''
      if (operator === undefined) throw unknownPlaceholder(source, at, name)
      return String(fallback)
    })
  })
  return filledIn(source, lines.join('\n'))
}

const asks = /^\s*--\s*\+goose\s+ENVSUB\s+(ON|OFF)\b/im

/** Not the quotes of PostgreSQL, `$body$`, nor its parameters, `$1`. */
const variable = /(?<!\$)\$(?:\{([A-Za-z_]\w*)(?:(:?-)([^}]*))?\}|([A-Za-z_]\w*)(?![\w$]))/g
