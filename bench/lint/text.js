// How fast texts are judged without a server, beside squawk from npm on the same files. `node bench/lint/text.js [--quick]`, after `npm run build`.
// Writes text.json and text.md beside itself, unless it was quick.
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { plinth, wholeProcess } from '../migrate/contenders.js'
import { generateMigrations, writePairs } from '../migrate/generate.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { answeredByResident, dismissResident, startResident, withoutResident, withResident } from './kept-process.js'
import { compare, round, summary, takeTurns } from '../support/statistics.js'

const quick = process.argv.includes('--quick')
const count = quick ? 300 : 2000
const rounds = quick ? 3 : 9

const bareParse = fileURLToPath(new URL('bare-parse.js', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
try {
  const results = await measure()
  const table = writeTable(results)
  process.stdout.write(table)
  if (!quick) {
    const place = name => fileURLToPath(new URL(name, import.meta.url))
    writeFileSync(place('text.json'), `${JSON.stringify(results, null, 2)}\n`)
    writeFileSync(place('text.md'), table)
  }
} finally {
  await dismissResident(join(folder, 'kept/.plinth'))
  rmSync(folder, { recursive: true, force: true })
}

async function measure() {
  const machine = machineFacts(null)
  const project = makeProject('every', count)
  const lone = makeProject('one', 1)
  const kept = makeProject('kept', 1)
  const files = upsIn(project)
  const [file] = upsIn(lone)
  const squawk = installSquawk()
  const ours = (args, cwd) =>
    wholeProcess(process.execPath, [plinth, 'lint', '--no-rehearsal', ...args], {
      cwd,
      statuses: [0, 4],
      env: withoutResident,
    })
  const asked = edited =>
    wholeProcess(process.execPath, [plinth, 'lint', '--no-rehearsal', edited], {
      cwd: kept,
      statuses: [0, 4],
      env: withResident,
    })
  const theirs = (paths, cwd) => wholeProcess(squawk.program, paths, { cwd, statuses: [0, 1] })
  const bare = args => wholeProcess(process.execPath, args)
  // What is remembered is taken away in front of every first run. What Node compiled is kept beside the program, as a binary is.
  const first = (args, cwd) => {
    rmSync(join(cwd, '.plinth'), { recursive: true, force: true })
    return ours(args, cwd)
  }
  await ours(['migrations'], project)
  await ours([file], lone)
  await startResident(kept, () => ours([file], kept).then(() => asked(file)))
  const times = await takeTurns(
    {
      first: () => first(['migrations'], project),
      second: async () => {
        await ours(['migrations'], project)
        return ours(['migrations'], project)
      },
      oneFile: () => first([file], lone),
      oneFileEdited: async round => {
        await ours([file], lone)
        appendFileSync(join(lone, file), `-- ${round}\n`)
        return ours([file], lone)
      },
      oneFileAgain: async () => {
        await ours([file], lone)
        return ours([file], lone)
      },
      oneFileEditedResident: async round => {
        appendFileSync(join(kept, file), `-- ${round}\n`)
        return answeredByResident(kept, () => asked(file))
      },
      bareNode: () => bare(['-e', '0']),
      bareParse: () => bare(['--liftoff-only', bareParse, join(project, 'migrations')]),
      bareParseTwo: () => bare(['--liftoff-only', bareParse, join(project, 'migrations'), '2']),
      ...(squawk.reason ? {} : { squawk: () => theirs(files, project), squawkOneFile: () => theirs([file], lone) }),
    },
    rounds,
  )
  const beside = (name, other, target) =>
    squawk.reason ? { skipped: squawk.reason } : { target, ...compare(times[name], times[other]) }
  return {
    machine,
    loaded: isLoaded(machine),
    quick,
    files: count,
    rounds,
    squawkVersion: squawk.version ?? null,
    first: beside('first', 'squawk', 1.5),
    second: beside('second', 'squawk', 0.5),
    oneFile: beside('oneFile', 'squawkOneFile', 1),
    oneFileEdited: beside('oneFileEdited', 'squawkOneFile', 1),
    oneFileEditedResident: beside('oneFileEditedResident', 'squawkOneFile', 1),
    oneFileAgain: beside('oneFileAgain', 'squawkOneFile', 1),
    bareParse: beside('bareParse', 'squawk', 1.5),
    times: Object.fromEntries(Object.entries(times).map(([name, values]) => [name, summary(values)])),
  }
}

function makeProject(name, amount) {
  const project = join(folder, name)
  mkdirSync(join(project, 'configs'), { recursive: true })
  writePairs(join(project, 'migrations'), generateMigrations(amount))
  writeFileSync(
    join(project, 'configs/migrate.yaml'),
    'version: 1\nproject: bench\ntracks:\n  operational:\n    migrations: migrations\nlint:\n  resident: on\n',
  )
  // Only ups, so that both read the same files.
  for (const file of readdirSync(join(project, 'migrations')))
    if (file.endsWith('.down.sql')) rmSync(join(project, 'migrations', file))
  return project
}

function upsIn(project) {
  return readdirSync(join(project, 'migrations'))
    .sort()
    .map(file => join('migrations', file))
}

/** Installs squawk from npm into a folder of its own. Answers `{ program, version }`: what npm puts on the path; or `{ reason }` where it cannot be had. */
function installSquawk() {
  const home = mkdtempSync(join(folder, 'squawk-'))
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  const options = { cwd: home, encoding: 'utf8', timeout: 120_000 }
  const installed = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', 'squawk-cli'], options)
  if (installed.status !== 0) return { reason: 'The npm package squawk-cli could not be installed.' }
  const program = join(home, 'node_modules/.bin/squawk')
  const version = spawnSync(program, ['--version'], options).stdout?.trim()
  return version ? { program, version } : { reason: 'The npm package squawk-cli has no program for this platform.' }
}

function writeTable(results) {
  const { machine, loaded, quick, files, rounds, squawkVersion, first, second, bareParse: floor, times } = results
  const { oneFile, oneFileEdited, oneFileEditedResident, oneFileAgain } = results
  const { date, commit, node, platform, processors, processor, memoryGb, loadAtStart } = machine
  const row = (question, { skipped, target, medianOfRatios, ratioOfLeast }) =>
    skipped
      ? `| ${question} | skipped | | | ${skipped} |`
      : `| ${question} | ${medianOfRatios} × | ${ratioOfLeast} × | ≤ ${target} × | ${verdict(medianOfRatios, ratioOfLeast, target)} |`
  return `# Linting without a server

Taken on ${date} at ${commit ?? 'an unknown commit'}: ${processors} × ${processor}, ${memoryGb} GB, ${platform}, Node ${node}; load ${loadAtStart} at the start.
${loaded ? '**The machine was busy with other work: read the ratios, not the times.**\n' : ''}${quick ? '**A quick run: too few rounds to compare.**\n' : ''}
Contenders take turns, ${rounds} rounds; each is a whole process, from its start to its end. The ${files} files are generated (\`../migrate/generate.js\`).

| question | measured | least | target | |
|---|---|---|---|---|
${row(`${files} files ÷ ${squawkVersion ?? 'squawk'} from npm`, first)}
${row('the same again, nothing changed ÷ the same', second)}
${row('one file ÷ the same on one file, in a project that was never linted', oneFile)}
${row('one file that was edited ÷ the same', oneFileEdited)}
${row('the same, answered by the resident ÷ the same', oneFileEditedResident)}
${row('one file, nothing changed ÷ the same', oneFileAgain)}

${partsOf(files, times, floor, squawkVersion)}

| contender | least ms | median ms | most ms |
|---|---|---|---|
${Object.entries(times)
  .map(([name, { leastMs, medianMs, mostMs }]) => `| ${name} | ${leastMs} | ${medianMs} | ${mostMs} |`)
  .join('\n')}
`
}

/** What of the times cannot be taken away, so that what is missed can be reckoned. */
function partsOf(
  files,
  { first, oneFileEditedResident, bareNode, bareParse, bareParseTwo, squawkOneFile },
  floor,
  version,
) {
  const parse = round(bareParse.medianMs - bareNode.medianMs, 1)
  const rest = round(first.medianMs - bareParseTwo.medianMs, 1)
  const edited = version
    ? `\n\nOf one file that was edited, ${bareNode.medianMs} ms are Node’s start, which the ${squawkOneFile.medianMs} ms of squawk’s wrapper begin with as well, and
${round(oneFileEditedResident.medianMs - bareNode.medianMs, 1)} ms are asking, judging and printing.`
    : ''
  return `To read and parse the ${files} files with PostgreSQL’s own parser and do nothing else takes ${bareParse.medianMs} ms in one thread (\`bareParse\`, ${floor.medianOfRatios ?? 'an unknown number of'} × of squawk’s time):
${bareNode.medianMs} ms are Node’s start and ${parse} ms the work. In two threads (\`bareParseTwo\`) it is ${bareParseTwo.medianMs} ms, so ${rest} ms of the first run are left for loading the rules, for asking them, and for
what is printed and kept for the second run.${edited}`
}

function verdict(middle, least, target) {
  if (middle <= target) return 'met'
  return least <= target ? 'met by the least only' : 'missed'
}
