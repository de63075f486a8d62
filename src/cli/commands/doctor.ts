import type { Diagnosis } from '../../foundation/doctor.ts'
import type { CommandSpec } from '../command.ts'
import { count, paint, table } from '../print.ts'

export const doctor: CommandSpec = {
  name: 'doctor',
  summary: 'look at everything a run needs, and say what to do',
  description:
    'Looks at Node.js, configuration, folders, server, databases and keys; starts and changes nothing. Exit status 1 when something is wrong.',
  group: 'operations',
  examples: ['plinth doctor', 'plinth doctor --env production --json'],
  async run({ foundation }) {
    const findings = [...(await foundation.doctor()), await residentFinding()]
    const marks = { ok: paint.green('ok'), warning: paint.yellow('warning'), error: paint.red('error') }
    const rows = findings.map(({ subject, status, finding, hint }) => [
      marks[status],
      subject,
      hint ? `${finding} ${paint.cyan('→')} ${hint}` : finding,
    ])
    return {
      data: { findings },
      text: table(['', 'subject', 'finding'], rows),
      exit: findings.some(({ status }) => status === 'error') ? 1 : 0,
    }
  },
}

async function residentFinding(): Promise<Diagnosis> {
  const { whoIsResident } = await import('../resident/tell.ts')
  const who = await whoIsResident()
  const finding = who
    ? `process ${who.pid}, ${who.megabytes} MB, answered ${count(who.callsAnswered, 'call')}; \`plinth stop\` ends it`
    : 'none stays'
  return { subject: 'resident of lint', status: 'ok', finding, hint: null }
}
