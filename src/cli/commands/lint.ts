import type { LintRequest, LintRun } from '../../foundation/lint.ts'
import type { LintReport } from '../../lint/run.ts'
import type { Finding } from '../../schema/finding.ts'
import { type CommandSpec, type Context, type Outcome, text as textOption } from '../command.ts'
import { codeFrame, count, paint, table } from '../print.ts'

export const lint: CommandSpec = {
  name: 'lint',
  summary: 'judge migrations before anybody runs them',
  description:
    'Runs what is pending on a scratch database and judges what it locked, rewrote, lost and left behind. Files, folders or "-" for standard input can be named; a file is judged behind those before it in its folder. Exit status 4 when there are errors, or more warnings than allowed.',
  group: 'migrations',
  arguments: [{ name: '[file...]', description: 'files or folders; "-" reads standard input' }],
  options: [
    { flags: '--all', description: 'every migration, not only those that the database has not applied' },
    { flags: '--since <ref>', description: 'only files that were added or changed since the branch left this commit' },
    {
      flags: '--format <name>',
      description: 'how the findings are printed',
      choices: ['human', 'json', 'sarif', 'github', 'gitlab', 'junit'],
    },
    { flags: '--fix', description: 'write what is certain into the files, and judge them again' },
    { flags: '--no-rehearsal', description: 'judge by the text alone, without a server' },
    { flags: '--max-warnings <count>', description: 'fail when there are more warnings' },
    {
      flags: '--baseline <file>',
      description: 'findings that are known, in place of the file that the configuration names',
    },
    { flags: '--no-baseline', description: 'also count what the baseline holds' },
    { flags: '--update-baseline', description: 'write the findings to the baseline and allow them' },
    { flags: '--rules', description: 'list the rules' },
  ],
  examples: [
    'plinth lint',
    'plinth lint db/migrations/operational/202611010930_users.up.sql',
    'cat change.sql | plinth lint -',
    'plinth lint --since origin/main --format github',
    'plinth lint --all --max-warnings 0 --json',
    'plinth lint --dir ./migrations --no-rehearsal',
    'plinth lint --format sarif > lint.sarif',
    'plinth lint --fix',
  ],
  async run(context) {
    const { foundation, options, arguments: files } = context
    if (options['rules']) return listRules()
    const { baseline } = options
    const request = {
      files,
      standardInput: files.includes('-') ? await readStandardInput() : undefined,
      scope: options['all'] ? ('all' as const) : ('pending' as const),
      since: textOption(context, 'since'),
      rehearsal: options['rehearsal'] === false ? ('off' as const) : undefined,
      baseline: baseline === false ? null : typeof baseline === 'string' ? baseline : undefined,
      baselineUpdate: options['updateBaseline'] ? ('write' as const) : undefined,
    }
    if (options['fix']) return fix(context, request)
    const run = await foundation.lint(request)
    const warningsMax = warningsAllowed(context) ?? foundation.config.lint.warningsMax
    if (run.baselineWritten !== null) {
      const text = `${count(run.report.findings.filter(one => one.allowed?.by !== 'file').length, 'finding')} written to ${run.baselineWritten}.`
      return { data: { report: run.report, baseline: run.baselineWritten }, text }
    }
    return {
      data: { report: run.report, notices: run.notices },
      text: await printed(run, textOption(context, 'format') ?? 'human', warningsMax),
      exit: exitOf(run.report, warningsMax),
      warnings: run.notices,
      lasts: run.restsOn === 'files' ? 'with its files' : undefined,
    }
  },
}

/** Throws USAGE for what has no file to write to. */
async function fix(context: Context, request: LintRequest): Promise<Outcome> {
  const { foundation, options } = context
  if (request.files.includes('-')) throw new RangeError('--fix rewrites files, and standard input is none')
  if (request.baselineUpdate) throw new RangeError('--fix and --update-baseline exclude each other')
  const run = await foundation.lintAndFix(request)
  const warningsMax = warningsAllowed(context) ?? foundation.config.lint.warningsMax
  const told = run.fixed.map(
    one => `${paint.green('fixed')}  ${one.file ?? ''}:${one.line}  ${one.fix?.title ?? ''}  ${paint.dim(one.rule)}`,
  )
  const format = textOption(context, 'format') ?? 'human'
  const left = await printed(run, format, warningsMax)
  return {
    data: { report: run.report, notices: run.notices, fixed: run.fixed },
    text: format === 'human' && !options['json'] && told.length > 0 ? `${told.join('\n')}\n\n${left}` : left,
    exit: exitOf(run.report, warningsMax),
    warnings: run.notices,
  }
}

async function printed(run: LintRun, format: string, warningsMax: number | null): Promise<string> {
  if (format === 'human') return describeRun(run, warningsMax)
  const { formats } = await import('../../lint/format/index.ts')
  return formats[format as keyof typeof formats](run).trimEnd()
}

function exitOf({ counts }: LintReport, warningsMax: number | null): number {
  return counts.error > 0 || (warningsMax !== null && counts.warning > warningsMax) ? 4 : 0
}

/** Throws USAGE. */
function warningsAllowed({ options }: Context): number | undefined {
  const given = options['maxWarnings']
  if (given === undefined) return undefined
  if (typeof given === 'string' && /^\d{1,9}$/.test(given)) return Number(given)
  throw new RangeError('--max-warnings takes a whole number from 0 up')
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}

async function listRules(): Promise<Outcome> {
  const { rules } = await import('../../lint/rules/index.ts')
  const { frameRules } = await import('../../lint/frame-rules.ts')
  const every = [...rules, ...frameRules.map(rule => ({ ...rule, category: 'lint' }))]
  const data = every.map(({ name, category, severity, title }) => ({ name, category, severity, title }))
  const rows = data.map(({ name, category, severity, title }) => [name, category, severity, title])
  return { data: { rules: data }, text: table(['rule', 'about', 'severity', 'finds'], rows) }
}

async function describeRun({ report, sources, notices }: LintRun, warningsMax: number | null): Promise<string> {
  const { withoutSecrets } = await import('../../lint/hidden.ts')
  const texts = new Map(sources.map(({ path, direction, text }) => [`${path}\0${direction}`, text]))
  const runs = runsOf(report.findings)
  // One file may have more than one run, and what one of them hides is shown by none.
  const found = new Map<string, readonly Finding[]>()
  for (const { place, findings } of runs) found.set(place, [...(found.get(place) ?? []), ...findings])
  const parts = [
    ...runs.flatMap(({ place, findings }) => {
      const text = texts.get(place)
      const shown = text === undefined ? undefined : withoutSecrets(text, found.get(place) ?? [])
      return findings.filter(one => one.allowed === null).map(one => describeFinding(one, shown))
    }),
    [...notices, ...gapsOf(report)].map(notice => paint.yellow(`! ${notice}`)).join('\n'),
    summaryOf(report, warningsMax),
  ]
  return parts.filter(Boolean).join('\n\n')
}

/** Findings of one file, as they follow each other. */
function runsOf(findings: readonly Finding[]): readonly { readonly place: string; readonly findings: Finding[] }[] {
  const runs: { readonly place: string; readonly findings: Finding[] }[] = []
  for (const one of findings) {
    const run = runs.at(-1)
    const [first] = run?.findings ?? []
    if (run && first?.file === one.file && first.direction === one.direction) run.findings.push(one)
    else runs.push({ place: `${one.file}\0${one.direction}`, findings: [one] })
  }
  return runs
}

export function describeFinding(finding: Finding, text: string | undefined): string {
  const { file, line, column, severity, rule, message, hint } = finding
  return [
    `${paint.bold(`${file ?? ''}:${line}:${column}`)}  ${colours[severity](severity)}  ${message}  ${paint.dim(rule)}`,
    text === undefined ? '' : codeFrame(text, line, column),
    `  ${paint.cyan('→')} ${hint}`,
  ]
    .filter(Boolean)
    .join('\n')
}

const colours: Readonly<Record<Finding['severity'], (text: string) => string>> = {
  error: text => paint.red(paint.bold(text)),
  warning: paint.yellow,
  notice: paint.blue,
}

/** What was not judged, and why. */
function gapsOf({ rehearsal, unjudged }: LintReport): string[] {
  const { reason, gaps } = rehearsal
  const left = unjudged.length === 0 ? [] : [`${rulesNeed(unjudged.length)} a rehearsal and were not judged.`]
  return [...(reason === null ? [] : [`Nothing was rehearsed: ${reason}`]), ...gaps, ...left]
}

function rulesNeed(amount: number): string {
  return amount === 1 ? '1 rule needs' : `${amount} rules need`
}

function summaryOf({ counts, files, rehearsal }: LintReport, warningsMax: number | null): string {
  const { error, warning, notice, allowed } = counts
  const found = [
    error > 0 ? paint.red(count(error, 'error')) : '',
    warning > 0 ? paint.yellow(count(warning, 'warning')) : '',
    notice > 0 ? count(notice, 'notice') : '',
  ].filter(Boolean)
  const judged = `${count(files, 'file')} judged${rehearsal.serverVersion === null ? ' by the text' : `, rehearsed on PostgreSQL ${rehearsal.serverVersion}`}`
  const more = warningsMax !== null && warning > warningsMax ? `, more than ${count(warningsMax, 'warning')}` : ''
  const rest = allowed > 0 ? paint.dim(` (${allowed} allowed)`) : ''
  return `${found.length === 0 ? paint.green('nothing found') : found.join(', ')}${more} in ${judged}${rest}`
}
