// Writes what is generated (the command lines and servers in README.md, docs/commands.md, docs/errors.md, db/docs/, src/lint/rules/index.ts), or with --check says what is stale.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { buildProgram } from '../../dist/cli/main.js'
import { commands } from '../../dist/cli/commands/index.js'
import { supported } from '../../dist/engines/postgres/supported.js'
import { codes } from '../../dist/errors.js'
import { ruleIndex, rulePages } from './rule-pages.js'

const check = process.argv.includes('--check')
const stale = []

function put(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return
  if (check) stale.push(file)
  else writeFileSync(file, text)
}

/** A page of a rule that is gone. */
function drop(file) {
  if (check) stale.push(file)
  else rmSync(file)
}

function usage() {
  const groups = {
    start: 'Start',
    migrations: 'Migrations',
    data: 'Data',
    contract: 'Contract',
    operations: 'Operations',
  }
  const width = Math.max(...commands.map(command => line(command).length))
  return Object.entries(groups)
    .map(([group, title]) =>
      [
        `# ${title}`,
        ...commands
          .filter(command => command.group === group)
          .map(command => `${line(command).padEnd(width)}  ${command.summary}`),
      ].join('\n'),
    )
    .join('\n\n')
}

function line(command) {
  return ['plinth', command.name, ...(command.arguments ?? []).map(argument => argument.name)].join(' ')
}

function commandsPage() {
  const program = buildProgram(async () => {})
  program.configureOutput({ getOutHelpWidth: () => 110 })
  const page = [
    '# Commands',
    '',
    'Generated from the descriptions of the commands by `npm run generate`.',
    '',
    '```text',
    program.helpInformation().trimEnd(),
    '```',
    '',
  ]
  for (const spec of commands) {
    const command = spec.name
      .split(' ')
      .reduce((parent, word) => parent.commands.find(child => child.name() === word), program)
    command.configureOutput({ getOutHelpWidth: () => 110 })
    page.push(
      `## plinth ${spec.name}`,
      '',
      '```text',
      command.helpInformation().trimEnd(),
      '',
      'Examples:',
      ...spec.examples.map(example => `  $ ${example}`),
      '```',
      '',
    )
  }
  return page.join('\n')
}

function errorsPage() {
  const rows = Object.entries(codes).map(
    ([code, { exit, http, explain }]) => `| \`${code}\` | ${exit} | ${http} | ${explain.replaceAll('|', '\\|')} |`,
  )
  return [
    '# Error codes',
    '',
    'Generated from `src/errors.ts` by `npm run generate`. The same text is printed by `plinth explain CODE`.',
    '',
    '| code | exit status | HTTP | meaning and next step |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

mkdirSync('docs', { recursive: true })
const readme = readFileSync('README.md', 'utf8')
put(
  'README.md',
  readme
    .replace(
      /(<!-- usage -->\n```text\n)[\s\S]*?(\n```\n<!-- \/usage -->)/,
      (_, before, after) => `${before}${usage()}${after}`,
    )
    .replace(
      /(<!-- servers -->).*?(<!-- \/servers -->)/,
      (_, before, after) => `${before}PostgreSQL ${supported.oldest} to ${supported.newest}${after}`,
    ),
)
put('docs/commands.md', commandsPage())
put('docs/errors.md', errorsPage())
mkdirSync('docs/rules', { recursive: true })
put('docs/rules/README.md', ruleIndex())
const pages = new Map(rulePages().map(({ name, text }) => [`${name}.md`, text]))
for (const [file, text] of pages) put(`docs/rules/${file}`, text)
for (const file of readdirSync('docs/rules')) if (file !== 'README.md' && !pages.has(file)) drop(`docs/rules/${file}`)

const rules = spawnSync(process.execPath, ['scripts/build/rules.js', ...(check ? ['--check'] : [])], {
  stdio: 'inherit',
})
const docs = spawnSync(process.execPath, ['bin/plinth.js', 'docs', check ? 'check' : 'generate'], { stdio: 'inherit' })
for (const file of stale) console.error(`stale: ${file} (run: npm run generate)`)
process.exitCode = stale.length > 0 ? 3 : rules.status || (docs.status ?? 1)
