import { PlinthError } from '../../errors.ts'
import type { CommandSpec } from '../command.ts'

const shells = ['bash', 'zsh', 'fish'] as const

/** Knows the other commands, and itself. */
export function completionOf(others: readonly CommandSpec[]): CommandSpec {
  const completion: CommandSpec = {
    name: 'completion',
    summary: 'print what completes commands and options in a shell',
    group: 'operations',
    needs: 'none',
    arguments: [{ name: '<shell>', description: 'bash, zsh or fish', choices: shells }],
    examples: [
      'eval "$(plinth completion bash)"',
      'plinth completion zsh > ~/.zfunc/_plinth',
      'plinth completion fish > ~/.config/fish/completions/plinth.fish',
    ],
    async run({ arguments: [given = ''] }) {
      const shell = shells.find(one => one === given.toLowerCase())
      if (!shell)
        throw new PlinthError('USAGE', `There is no completion for "${given}".`, { hint: 'Name bash, zsh or fish.' })
      const { placesOf } = await import('../completion/tree.ts')
      const script = await scriptOf(shell)
      const text = script(placesOf([...others, completion]))
      return { data: { shell, script: text }, text }
    },
  }
  return completion
}

async function scriptOf(shell: (typeof shells)[number]) {
  if (shell === 'bash') return (await import('../completion/bash.ts')).bashScript
  if (shell === 'zsh') return (await import('../completion/zsh.ts')).zshScript
  return (await import('../completion/fish.ts')).fishScript
}
