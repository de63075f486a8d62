/** The formats for machines; the one for people is the command line's own. */
import type { Format } from './format.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'
import { junit } from './junit.ts'
import { sarif } from './sarif.ts'

export const formats: Readonly<Record<'sarif' | 'github' | 'gitlab' | 'junit' | 'json', Format>> = {
  json: ({ report }) => `${JSON.stringify(report, null, 2)}\n`,
  sarif,
  github,
  gitlab,
  junit,
}
