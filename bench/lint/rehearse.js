// How long a rehearsal behind 200 migrations takes: with no server yet, with a server that never saw the history, and when everything is there; and how
// soon one file is answered. `node bench/lint/rehearse.js [--quick]`, after `npm run build`. Writes rehearse.json and rehearse.md beside itself, unless it was quick.
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeEmbedded } from '../../dist/engines/postgres/embedded.js'
import { generateMigrations, writePairs } from '../migrate/generate.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import {
  answerAlone,
  answeredByResident,
  dismissResident,
  startResident,
  withoutResident,
  withResident,
} from './kept-process.js'
import { median, round, summary, takeTurns } from '../support/statistics.js'

const plinth = join(import.meta.dirname, '../../bin/plinth.js')
const resident = join(import.meta.dirname, 'resident.js')
const quick = process.argv.includes('--quick')
const historyLength = 200
const coldRounds = quick ? 1 : 3
const rounds = quick ? 2 : 7
const limits = { coldMsMax: 6000, warmMsMax: 1000, answerMsMax: 150 }

const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
const migrations = generateMigrations(historyLength + 1)
/** As new as the last one, with names of its own. */
const newText = migrations[historyLength].up.replaceAll(`_${historyLength}`, `_${historyLength}_more`)
/** Its files stay as they are. */
const asking = writeProject('asking')
const projects = Array.from({ length: coldRounds }, (_, at) => writeProject(`project-${at + 1}`))

try {
  const results = await measure()
  const table = writeTable(results)
  process.stdout.write(table)
  if (!quick) {
    writeFileSync(join(import.meta.dirname, 'rehearse.json'), `${JSON.stringify(results, null, 2)}\n`)
    writeFileSync(join(import.meta.dirname, 'rehearse.md'), table)
  }
} finally {
  for (const project of [...projects, asking]) await dismissResident(join(project, '.plinth'))
  for (const project of [...projects, asking]) await removeEmbedded({ folder: join(project, '.plinth/postgres') })
  rmSync(folder, { recursive: true, force: true })
}

/** Times are those of whole processes, as a hook or a CI job sees them, but for the answers in one that stays. */
async function measure() {
  // What Node compiled is kept beside the program, and a first run writes it.
  run(projects[0], [plinth, 'lint', '--no-rehearsal', '--quiet'])
  const [project] = projects
  const machine = machineFacts(null)
  const cold = projects.map(one => timed(one, [plinth, 'rehearse', lastOf(one), '--quiet']))
  const { data } = JSON.parse(run(project, [plinth, 'rehearse', lastOf(project), '--json']).stdout)
  const last = lastOf(project)
  for (const one of [project, asking]) {
    await startResident(one, () =>
      run(one, [plinth, 'lint', lastOf(one), '--no-rehearsal', '--quiet'], '', withResident),
    )
    // What a process is asked first takes longest.
    for (let call = 0; call < 5; call++)
      run(one, [plinth, 'lint', '-', '--quiet'], `${newText}\n-- warm ${call}\n`, withResident)
  }
  const times = await takeTurns(
    {
      warm: () => timed(project, [plinth, 'rehearse', last, '--quiet']),
      lastFileEdited: round => {
        appendFileSync(last, `\ncomment on schema public is 'edited ${round}';\n`)
        return timed(project, [plinth, 'rehearse', last, '--quiet'])
      },
      olderFileEdited: round => {
        appendFileSync(fileOf(project, migrations[150]), `\ncomment on schema public is 'edited before ${round}';\n`)
        return timed(project, [plinth, 'rehearse', last, '--quiet'])
      },
      lint: () => timed(project, [plinth, 'lint', last, '--quiet']),
      lintByText: round => {
        appendFileSync(last, `\n-- ${round}\n`)
        return timed(project, [plinth, 'lint', last, '--no-rehearsal', '--quiet'])
      },
      lintInProcessThatStays: () => median(JSON.parse(run(project, [resident], newText).stdout)),
      lintEditedResident: async round => {
        appendFileSync(last, `\n-- asked ${round}\n`)
        return answeredByResident(project, () => timed(project, [plinth, 'lint', last, '--quiet'], withResident))
      },
      lintStandardInputResident: round =>
        answeredByResident(asking, () =>
          timed(asking, [plinth, 'lint', '-', '--quiet'], withResident, `${newText}\n-- ${round}\n`),
        ),
      lintAnswerAlone: round => answerAlone(asking, ['-', '--quiet'], `${newText}\n-- alone ${round}\n`),
      lintByTextResident: async round => {
        appendFileSync(last, `\n-- asked by text ${round}\n`)
        return answeredByResident(project, () =>
          timed(project, [plinth, 'lint', last, '--no-rehearsal', '--quiet'], withResident),
        )
      },
      bareNode: () => timed(project, ['-e', '0']),
    },
    rounds,
  )
  return {
    machine: { ...machine, postgres: String(data.tracks[0].forecast.serverVersion) },
    loaded: isLoaded(machine),
    quick,
    historyLength,
    rounds,
    ...limits,
    times: Object.fromEntries([['cold', cold], ...Object.entries(times)].map(([name, of]) => [name, summary(of)])),
  }
}

function writeProject(name) {
  const project = join(folder, name)
  mkdirSync(join(project, 'configs'), { recursive: true })
  writeFileSync(
    join(project, 'configs/migrate.yaml'),
    'version: 1\nproject: bench\ntracks:\n  operational: {}\nlint:\n  resident: on\n',
  )
  writePairs(join(project, 'db/migrations/operational'), migrations)
  return project
}

function lastOf(project) {
  return fileOf(project, migrations[historyLength])
}

function timed(project, args, env = withoutResident, input = '') {
  const started = performance.now()
  run(project, args, input, env)
  return performance.now() - started
}

/** Lint ends with 4 where it finds errors. */
function run(cwd, args, input = '', env = withoutResident) {
  const ran = spawnSync(process.execPath, args, { cwd, encoding: 'utf8', env, input })
  if (ran.status !== 0 && ran.status !== 4) throw new Error(`${args.slice(1, 3).join(' ')}: ${ran.stderr.slice(-2000)}`)
  return ran
}

function fileOf(project, { version, slug }) {
  return join(project, 'db/migrations/operational', `${version}_${slug}.up.sql`)
}

function writeTable({ machine, loaded, quick, times }) {
  const { date, commit, node, postgres, platform, processors, processor, memoryGb, loadAtStart } = machine
  const row = (question, name, target) => {
    const { leastMs, medianMs, mostMs } = times[name]
    const verdict =
      target === undefined ? '' : medianMs < target ? 'met' : leastMs < target ? 'met by the least only' : 'missed'
    return `| ${question} | ${leastMs} | ${medianMs} | ${mostMs} | ${target === undefined ? '' : `< ${target}`} | ${verdict} |`
  }
  return `# Rehearsing behind ${historyLength} migrations

Taken on ${date} at ${commit ?? 'an unknown commit'}: ${processors} × ${processor}, ${memoryGb} GB, ${platform}, Node ${node}, PostgreSQL ${postgres}; load ${loadAtStart} at the start.
${loaded ? '**The machine was busy with other work.**\n' : ''}${quick ? '**A quick run: too few rounds to compare.**\n' : ''}
Contenders take turns, ${rounds} rounds (${coldRounds} for the cold one); each is a whole process, from its start to its end, but for the answer in one that stays.

| question | least ms | median ms | most ms | target | |
|---|---|---|---|---|---|
${[
  row('cold: no server yet, nothing replayed', 'cold', limits.coldMsMax),
  row('warm: everything is there', 'warm', limits.warmMsMax),
  row('the last file was edited', 'lastFileEdited', limits.warmMsMax),
  row('a file of the history was edited, 50 before the last', 'olderFileEdited'),
  row('`plinth lint` of one file, rehearsed', 'lint', limits.answerMsMax),
  row('`plinth lint` of one edited file, by its text', 'lintByText', limits.answerMsMax),
  row('lint of one text that is new, rehearsed, in a process that stays', 'lintInProcessThatStays', limits.answerMsMax),
  row(
    '`plinth lint` of one edited file, rehearsed, answered by the resident',
    'lintEditedResident',
    limits.answerMsMax,
  ),
  row(
    '`plinth lint -` of one text that is new, rehearsed, answered by the resident',
    'lintStandardInputResident',
    limits.answerMsMax,
  ),
  row(
    '`plinth lint` of one edited file, by its text, answered by the resident',
    'lintByTextResident',
    limits.answerMsMax,
  ),
  row(
    'the resident’s part of such an answer, its server’s among it: asked by a process that is there',
    'lintAnswerAlone',
  ),
  row('a process of Node that does nothing', 'bareNode'),
].join('\n')}

An answer from standard input takes ${times.lintStandardInputResident.medianMs} ms: ${times.bareNode.medianMs} of it Node’s start, ${times.lintAnswerAlone.medianMs} the rehearsal and the rules, and
${round(times.lintStandardInputResident.medianMs - times.bareNode.medianMs - times.lintAnswerAlone.medianMs, 1)} asking and printing.
`
}
