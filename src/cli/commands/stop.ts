import type { CommandSpec } from '../command.ts'

export const stop: CommandSpec = {
  name: 'stop',
  summary: 'stop the embedded PostgreSQL server',
  group: 'start',
  examples: ['plinth stop'],
  async run({ foundation }) {
    const stopped = await foundation.stop()
    return {
      data: { stopped },
      text: stopped ? 'The embedded PostgreSQL server was stopped.' : 'No embedded PostgreSQL server was running.',
    }
  },
}
