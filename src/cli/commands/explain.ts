import { type Code, codes, nearest, PlinthError } from '../../errors.ts'
import type { CommandSpec } from '../command.ts'

export const explain: CommandSpec = {
  name: 'explain',
  summary: 'tell what an error code means and what to do',
  group: 'operations',
  needs: 'none',
  arguments: [{ name: '<code>', description: 'such as CHECKSUM_CHANGED' }],
  examples: ['plinth explain CHECKSUM_CHANGED'],
  async run({ arguments: [given = ''] }) {
    const code = given.toUpperCase()
    if (!isCode(code)) {
      const guess = nearest(code, Object.keys(codes))
      throw new PlinthError('USAGE', `There is no error code "${given}".`, {
        hint: guess ? `Did you mean ${guess}?` : 'See docs/errors.md for all codes.',
      })
    }
    const { exit, http, explain: text } = codes[code]
    return { data: { code, exit, http, explain: text }, text: `${code} (exit status ${exit})\n\n${text}` }
  },
}

function isCode(code: string): code is Code {
  return Object.hasOwn(codes, code)
}
