/** Asks at the terminal before something is destroyed. */
import { createInterface } from 'node:readline/promises'
import { PlinthError } from '../errors.ts'
import type { Confirmation } from './command.ts'

/** Throws CONFIRMATION_REQUIRED where nobody sits there, or the name is another. */
export async function confirm({ consequence, name }: Confirmation): Promise<void> {
  if (!process.stdin.isTTY || process.env['CI']) {
    throw new PlinthError('CONFIRMATION_REQUIRED', consequence, { hint: 'Pass --yes when this is meant.' })
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`${consequence}\nType "${name}" to go on: `).finally(() => terminal.close())
  if (answer.trim() !== name)
    throw new PlinthError('CONFIRMATION_REQUIRED', 'The name did not match, so nothing was done.')
}
