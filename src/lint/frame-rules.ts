/** What lint itself has to say, beside the rules: a file that cannot be read, a step that fails, an allowance that nobody needs. */
import type { Severity } from '../schema/finding.ts'

export interface FrameRule {
  readonly name: string
  readonly severity: Severity
  readonly title: string
  readonly why: string
  readonly instead: string
}

export const frameRules = [
  {
    name: 'syntax',
    severity: 'error',
    title: 'The file cannot be read as SQL',
    why: 'The file is read by PostgreSQL’s own parser. What it does not understand, no server will, and nothing else in the file can be judged. A psql command, or a head that asks for what Plinth does not know, ends here as well.',
    instead: 'Correct the statement at the place that is shown.',
  },
  {
    name: 'rehearsal-failed',
    severity: 'error',
    title: 'The migration fails when it is run',
    why: 'The step was run on a scratch database that the migrations before it made, and the server refused a statement. It would refuse it on the target as well, unless the target has something that no migration makes.',
    instead: 'Correct the statement; or bring what it needs into a migration before it.',
  },
  {
    name: 'allow-invalid',
    severity: 'warning',
    title: 'An allowance is written so that it allows nothing',
    why: 'An allowance names rules, gives a reason and may end on a day: `-- plinth:allow lock-index-nonconcurrent reason="the table is empty" until=2026-12-31`. One without a reason, with a misspelt rule or with a day that does not exist silences nothing.',
    instead: 'Write it as `-- plinth:allow rule[, rule] reason="…" [until=YYYY-MM-DD]`.',
  },
  {
    name: 'allow-expired',
    severity: 'warning',
    title: 'An allowance has ended',
    why: 'It was meant to hold until a day that is over, so what it allowed is a finding again.',
    instead: 'Mend what it allowed; or, where the reason still holds, give it a later day.',
  },
  {
    name: 'allow-unused',
    severity: 'warning',
    title: 'An allowance allows nothing',
    why: 'The rule has nothing to say where the allowance stands. Left there, it would silence a later mistake. Only told where the file was rehearsed, since a rule may need that to find anything.',
    instead: 'Remove it.',
  },
  {
    name: 'baseline-stale',
    severity: 'notice',
    title: 'The baseline holds what is not found any more',
    why: 'An entry of the baseline stands for a finding that is gone. Left there, it would silence the same mistake when it comes back. Only told when every file is linted.',
    instead: 'Write the baseline again with `plinth lint --all --update-baseline`.',
  },
] as const satisfies readonly FrameRule[]

export type FrameName = (typeof frameRules)[number]['name']
