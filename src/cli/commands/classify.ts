import type { CommandSpec } from '../command.ts'
import { paint, table } from '../print.ts'

export const classifyCheck: CommandSpec = {
  name: 'classify check',
  summary: 'tell which columns have no class, and which classes contradict',
  group: 'contract',
  examples: ['plinth classify check', 'plinth classify check --json'],
  async run({ foundation }) {
    const findings = await foundation.checkClassification()
    const rows = findings.map(({ severity, object, message, hint }) => [
      severity === 'error' ? paint.red(severity) : paint.yellow(severity),
      object,
      message,
      hint,
    ])
    return {
      data: { findings },
      text:
        findings.length === 0
          ? 'Every column is classified, and nothing contradicts.'
          : table(['', 'object', 'finding', 'next step'], rows),
      exit: findings.some(({ severity }) => severity === 'error') ? 3 : 0,
    }
  },
}
