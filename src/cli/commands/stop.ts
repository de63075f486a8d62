import type { CommandSpec } from '../command.ts'

export const stop: CommandSpec = {
  name: 'stop',
  summary: 'stop the embedded PostgreSQL server',
  description: 'Stops the server, and ends the process that stays beside a project to answer `plinth lint` sooner.',
  group: 'start',
  examples: ['plinth stop'],
  async run({ foundation }) {
    const { dismissResident } = await import('../resident/tell.ts')
    const resident = await dismissResident()
    const stopped = await foundation.stop()
    const server = stopped
      ? 'The embedded PostgreSQL server was stopped.'
      : 'No embedded PostgreSQL server was running.'
    return {
      data: { stopped, resident: resident ? 'ended' : 'none' },
      text: resident ? `${server}\nThe process that stayed for lint was ended.` : server,
    }
  },
}
