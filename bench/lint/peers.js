// What linters say of the corpus in tests/lint/corpus, beside what PostgreSQL did: precision and recall, statement by statement.
// The others are installed from npm into a temporary folder, for the run alone.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { engineOf } from '../../dist/engines/registry.js'
import { lint } from '../../dist/lint/run.js'
import { usualSettings } from '../../dist/lint/settings.js'
import { rehearseScripts } from '../../dist/migrations/rehearse/rehearse.js'
import { machineFacts } from '../support/machine.js'
import { withServer } from '../support/server.js'

const versions = { 'squawk-cli': '2.66.0', '@postgres-language-server/cli': '0.25.5' }
const corpus = join(import.meta.dirname, '../../tests/lint/corpus')

/** What is taste, or the runner's business here: it sets the timeouts and runs a file once. Said by name, so that anybody can count otherwise. */
const style = new Set([
  'require-lock-timeout',
  'require-statement-timeout',
  'require-timeout-settings',
  'prefer-robust-stmts',
  'prefer-text-field',
  'prefer-identity',
  'require-enum-value-ordering',
  'require-table-schema',
  'lockTimeoutWarning',
  'preferRobustStmts',
  'preferTextField',
  'preferIdentity',
  'requireEnumValueOrdering',
  'requireStatementTimeout',
  'requireIdleInTransactionTimeout',
  'multipleAlterTable',
])

/** The ground that all of them claim; the rest needs a catalog or a declaration. */
const common = /^(lock|rewrite|data|compat)-/

const quick = process.argv.includes('--quick')
const folder = mkdtempSync(join(tmpdir(), 'plinth-peers-'))
try {
  await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function main() {
  const stories = readdirSync(corpus)
    .filter(file => file.endsWith('.sql'))
    .sort()
    .map(file => readStory(file.replace('.sql', ''), readFileSync(join(corpus, file), 'utf8')))
  const files = writeSteps(stories)
  install()
  const statements = stories.flatMap(story => story.steps.flatMap(step => step.labels))
  const said = {
    squawk: squawk(files),
    'pgls, recommended rules': languageServer(files, 'recommended'),
    'pgls, all rules': languageServer(files, 'all'),
  }
  let postgres = null
  await withServer(async ({ url, version }) => {
    postgres = version
    said['plinth, text only'] = await plinth(stories, null)
    said['plinth, rehearsed'] = await plinth(stories, url)
  })
  const tools = Object.fromEntries(
    Object.entries(said).map(([tool, diagnostics]) => [tool, scores(stories, diagnostics)]),
  )
  const counted = {
    stories: stories.length,
    statements: statements.length,
    defects: statements.filter(isDefect).length,
    ofCommonGround: statements.filter(one => one.finds.some(rule => common.test(rule))).length,
  }
  const result = { machine: machineFacts(postgres), versions, corpus: counted, style: [...style], tools }
  if (quick) {
    process.stdout.write(markdown(result))
    return
  }
  writeFileSync(join(import.meta.dirname, 'peers.json'), `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(join(import.meta.dirname, 'peers.md'), markdown(result))
}

/** The format is told in tests/support/corpus.ts. */
function readStory(name, text) {
  const [head, ...sections] = text.split(/^(?=-- (?:before|rows|step \S+)$)/m)
  const stated = word => JSON.parse(new RegExp(`^-- ${word}: (.*)$`, 'm').exec(head)?.[1] ?? '{}')
  const before = sections.find(one => one.startsWith('-- before\n')) ?? ''
  const steps = sections
    .filter(one => one.startsWith('-- step '))
    .map(section => {
      const [first] = section.split('\n', 1)
      const lines = section.split('\n').slice(1)
      const labels = lines.flatMap((line, index) =>
        line.startsWith('-- expect: ')
          ? [{ line: index + 1, finds: /finds ([^;]*)/.exec(line)?.[1].split(', ') ?? [] }]
          : [],
      )
      return { version: /\d+/.exec(first)[0], slug: first.replace(/^-- step \d+_/, ''), text: lines.join('\n'), labels }
    })
  return { name, before, steps, settings: stated('settings'), classes: stated('classes') }
}

/** A file a step, as a hook or CI hands them to a linter. Labels become blank comments, so that nobody reads them and lines stay. */
function writeSteps(stories) {
  const blank = text => text.replace(/^-- (expect|CreateTable).*$/gm, '--')
  return stories.flatMap(story =>
    story.steps.map(step => {
      step.path = join(folder, 'sql', story.name, `${step.version}_${step.slug}.sql`)
      mkdirSync(join(folder, 'sql', story.name), { recursive: true })
      writeFileSync(step.path, blank(step.text))
      return step.path
    }),
  )
}

function install() {
  const wanted = Object.entries(versions).map(([name, version]) => `${name}@${version}`)
  writeFileSync(join(folder, 'package.json'), '{}')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', ...wanted], { cwd: folder, stdio: 'ignore' })
}

/** Concurrent steps run outside of a transaction and are told so, as its documentation asks. */
function squawk(files) {
  const bare = file => /\bconcurrently\b|^vacuum|^reindex/im.test(readFileSync(file, 'utf8'))
  return [false, true].flatMap(alone => {
    const some = files.filter(file => bare(file) === alone)
    const how = alone ? [] : ['--assume-in-transaction']
    const found = JSON.parse(run('squawk', ['--reporter', 'json', '--pg-version', '15.0', ...how, ...some]))
    return found.map(one => ({ file: one.file, line: one.line + 1, rule: one.rule_name }))
  })
}

/** Without a database: its linter alone. */
function languageServer(files, rules) {
  const place = join(folder, rules)
  mkdirSync(place)
  const settings = { db: { disableConnection: true }, linter: { enabled: true, rules: { [rules]: true } } }
  writeFileSync(join(place, 'postgres-language-server.jsonc'), JSON.stringify(settings))
  const how = ['check', '--disable-db', '--reporter=json', '--max-diagnostics=none', `--config-path=${place}`]
  const { diagnostics } = JSON.parse(run('postgres-language-server', [...how, ...files]))
  return diagnostics.map(({ location, category }) => ({
    file: location.path,
    line: location.start.line,
    rule: category.replace(/^.*\//, ''),
  }))
}

/** Both end with a status of their own where they found something. */
function run(program, args) {
  const how = { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'ignore'] }
  try {
    return execFileSync(join(folder, 'node_modules/.bin', program), args, how)
  } catch (error) {
    return error.stdout
  }
}

async function plinth(stories, url) {
  const said = []
  for (const { before, steps, settings, classes } of stories) {
    const source = (path, text, more) => ({ path, text, direction: 'up', opposite: null, role: 'judged', ...more })
    const past = { version: '202501010000', slug: 'before', role: 'context' }
    const { findings } = await lint({
      sources: [
        source('before.sql', before, past),
        ...steps.map(({ path, text, version, slug }) => source(path, text, { version, slug })),
      ],
      settings: { ...usualSettings, classified: Object.keys(classes).length > 0, ...settings },
      classOf: (table, column) => classes[table]?.[column],
      severities: new Map(),
      today: '2026-01-01',
      baseline: null,
      scope: 'some files',
      rehearse: url && (async () => ({ rehearsal: await rehearsed(before, steps, url), reason: null })),
    })
    said.push(
      ...findings.filter(({ severity }) => severity !== 'notice').map(({ file, line, rule }) => ({ file, line, rule })),
    )
  }
  return said
}

async function rehearsed(before, steps, url) {
  const script = (version, text, file) => ({ version, direction: 'up', file, text })
  const pending = [script('0', before, null), ...steps.map(({ version, text, path }) => script(version, text, path))]
  const ran = await rehearseScripts({ engine: await engineOf(url), url, kept: 0 }, { history: [], pending })
  return { ...ran, before: ran.steps[0].after, steps: ran.steps.slice(1) }
}

function isDefect({ finds }) {
  return finds.length > 0
}

/** A tool has found a defect when it says anything at all between the label and the next one: the right reason is not asked. */
function scores(stories, diagnostics) {
  const by = file => diagnostics.filter(one => one.file.endsWith(file))
  const all = []
  for (const { name, steps } of stories)
    for (const { version, slug, labels } of steps) {
      const here = by(join(name, `${version}_${slug}.sql`))
      for (const [at, label] of labels.entries()) {
        const until = labels[at + 1]?.line ?? Infinity
        const rules = here.filter(({ line }) => line > label.line && line < until).map(({ rule }) => rule)
        all.push({ label, rules: rules.filter(rule => !style.has(rule)), every: rules })
      }
    }
  const ground = all.filter(({ label }) => !isDefect(label) || label.finds.some(rule => common.test(rule)))
  const loud = all.map(({ label, every }) => ({ label, rules: every }))
  return {
    withoutStyle: score(all),
    commonGround: score(ground),
    everything: score(loud),
    falseAlarmsByRule: countRules(all.filter(({ label }) => !isDefect(label))),
  }
}

function score(all) {
  const count = (defect, speaks) =>
    all.filter(({ label, rules }) => isDefect(label) === defect && rules.length > 0 === speaks).length
  const [found, missed, alarms, silent] = [
    count(true, true),
    count(true, false),
    count(false, true),
    count(false, false),
  ]
  return { found, missed, alarms, silent, precision: share(found, alarms), recall: share(found, missed) }
}

function share(part, rest) {
  return part + rest === 0 ? null : Number((part / (part + rest)).toFixed(3))
}

function countRules(all) {
  const counts = {}
  for (const { rules } of all) for (const rule of rules) counts[rule] = (counts[rule] ?? 0) + 1
  return Object.fromEntries(Object.entries(counts).sort((a, b) => b[1] - a[1]))
}

function markdown({ machine, corpus: counted, tools }) {
  const percent = value => (value === null ? '–' : `${(value * 100).toFixed(0)} %`)
  const table = group => [
    '| tool | defects found | missed | false alarms | rightly silent | precision | recall |',
    '|---|---|---|---|---|---|---|',
    ...Object.entries(tools).map(([tool, { [group]: one }]) => {
      const cells = [one.found, one.missed, one.alarms, one.silent, percent(one.precision), percent(one.recall)]
      return `| ${tool} | ${cells.join(' | ')} |`
    }),
    '',
  ]
  const lines = [
    '# Linters beside what PostgreSQL did',
    '',
    `${counted.stories} stories with history, ${counted.statements} labelled statements: ${counted.defects} defects, ${counted.statements - counted.defects} harmless look-alikes.`,
    `squawk ${versions['squawk-cli']}, pgls ${versions['@postgres-language-server/cli']}, PostgreSQL ${machine.postgres}, commit ${machine.commit}, ${machine.date}.`,
    '',
    '## Locks, rewrites, loss and compatibility: the ground that all of them claim',
    '',
    `${counted.ofCommonGround} defects; harmless statements as below.`,
    '',
    ...table('commonGround'),
    '## All defects, also of tenancy, security, governance, types, indexes and partitions',
    '',
    ...table('withoutStyle'),
    '## The same, with what counts as style',
    '',
    ...table('everything'),
    '## How it is counted',
    '',
    '- The corpus is ours: people who wrote a linter wrote what it is tried on, which favours it. Defects were labelled before anything ran, locks and rewrites taken from',
    '  execution. About 20 labels differed from Plinth at first: one mended Plinth, the others were changed, mostly to another of its rules, or to harmless where it has a notice or a later step makes good. `tests/lint/corpus.test.ts` holds Plinth to every label, so the last row',
    '  says that the labels are kept, and not how Plinth does on files that it has not seen.',
    '- A statement is a defect when its label names at least one rule of severity warning or error. A tool has found it when it says anything about that statement, for',
    '  whatever reason; a false alarm is anything said about a harmless one. That is generous to whoever speaks much.',
    '- Every step is one file, as a hook hands it to a linter; the others are not told the history, since they have no use for it. squawk gets `--pg-version 15` and',
    '  `--assume-in-transaction` for files that run in one; pgls runs without a database, with its recommended rules and with all of them.',
    '- Style, left out of the first two tables: missing timeouts (the runner sets them), `if not exists` (the runner runs a file once), text instead of varchar, identity instead',
    `  of serial, the place of an enum value, several alters. By name: ${[...style].map(rule => `\`${rule}\``).join(', ')}.`,
    '- Plinth counts with findings of severity warning and error; notices are taste.',
    '',
    '## False alarms by rule, without style',
    '',
    ...Object.entries(tools).map(
      ([tool, { falseAlarmsByRule }]) =>
        `- ${tool}: ${
          Object.entries(falseAlarmsByRule)
            .map(([rule, n]) => `\`${rule}\` ${n}`)
            .join(', ') || 'none'
        }`,
    ),
    '',
  ]
  return lines.join('\n')
}
