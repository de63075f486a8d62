import { PlinthError } from '../../errors.ts'
import { type CommandSpec, text } from '../command.ts'
import { paint } from '../print.ts'

export const serve: CommandSpec = {
  name: 'serve',
  summary: 'keep rollups, proofs and maintenance going, and answer over HTTP',
  description:
    'Does what is due: rollups, proofs and checks, and maintenance (partitions ahead, sealing, retention). Any number of processes may: a lease and a schedule in the source database have each job done by one of them. Answers /health, /ready, /jobs, /rollups and /metrics, and takes POST /jobs/NAME, which needs PLINTH_SERVE_TOKEN from other machines. SIGTERM ends it: the job at hand is left to another process.',
  group: 'operations',
  options: [
    { flags: '--host <address>', description: 'address to listen on; default 127.0.0.1' },
    { flags: '--port <number>', description: 'port to listen on, 0 for any free one; default 7447' },
  ],
  examples: ['plinth serve', 'plinth serve --host 0.0.0.0 --port 8080'],
  async run(context) {
    const host = text(context, 'host') ?? '127.0.0.1'
    const port = portOf(text(context, 'port') ?? '7447')
    const { config } = context.foundation
    const { serve: keepServing } = await import('../../server/serve.ts')
    await keepServing(context.foundation, {
      host,
      port,
      token: config.variables['PLINTH_SERVE_TOKEN'] || null,
      lookMs: 5000,
      onListening: url => process.stderr.write(`${paint.green('listening')} ${url}\n`),
    })
    return { data: { status: 'stopped' }, text: '' }
  },
}

function portOf(given: string): number {
  const port = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN
  if (port <= 65_535) return port
  throw new PlinthError('USAGE', '--port takes a number up to 65535.')
}
