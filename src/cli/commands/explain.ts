import { type Code, codes, nearest, PlinthError } from '../../errors.ts'
import type { Example } from '../../lint/rule.ts'
import type { CommandSpec, Outcome } from '../command.ts'
import { paint } from '../print.ts'

export const explain: CommandSpec = {
  name: 'explain',
  summary: 'tell what an error code or a rule of lint means, and what to do',
  group: 'operations',
  needs: 'none',
  arguments: [{ name: '<code|rule>', description: 'such as CHECKSUM_CHANGED or lock-index-nonconcurrent' }],
  examples: ['plinth explain CHECKSUM_CHANGED', 'plinth explain lock-index-nonconcurrent'],
  async run({ arguments: [given = ''] }) {
    const code = given.toUpperCase().replaceAll('-', '_')
    if (isCode(code)) return explainCode(code)
    const told = await explainRule(given.toLowerCase())
    if (told) return told
    const guess = nearest(given.toLowerCase(), await ruleNames()) ?? nearest(code, Object.keys(codes))
    throw new PlinthError('USAGE', `There is no error code or rule "${given}".`, {
      hint: guess
        ? `Did you mean ${guess}?`
        : 'See docs/errors.md for all codes, and `plinth lint --rules` for all rules.',
    })
  },
}

function isCode(code: string): code is Code {
  return Object.hasOwn(codes, code)
}

function explainCode(code: Code): Outcome {
  const { exit, http, explain: text } = codes[code]
  return { data: { code, exit, http, explain: text }, text: `${code} (exit status ${exit})\n\n${text}` }
}

async function explainRule(name: string): Promise<Outcome | null> {
  const { frameRules, rules } = await rulesOfLint()
  const rule = rules.find(one => one.name === name)
  const { title, severity, why, instead } = rule ?? frameRules.find(one => one.name === name) ?? {}
  if (title === undefined) return null
  const { bad = [], good = [] } = rule?.examples ?? {}
  const category = rule?.category ?? 'lint'
  const parts = [
    `${paint.bold(name)} (${category}, ${severity})\n${title}.`,
    why,
    instead,
    ...bad.map(one => example(paint.red('bad'), one)),
    ...good.map(one => example(paint.green('good'), one)),
  ]
  const examples = { bad: bad.map(shown), good: good.map(shown) }
  return { data: { rule: name, category, severity, title, why, instead, examples }, text: parts.join('\n\n') }
}

async function ruleNames(): Promise<string[]> {
  const { frameRules, rules } = await rulesOfLint()
  return [...rules, ...frameRules].map(one => one.name)
}

async function rulesOfLint() {
  const { rules } = await import('../../lint/rules/index.ts')
  const { frameRules } = await import('../../lint/frame-rules.ts')
  return { rules, frameRules }
}

function example(mark: string, { title, before, up, down }: Example): string {
  const parts = [
    ...(before === undefined ? [] : ['-- applied earlier', before.trim()]),
    up.trim(),
    ...(down === undefined ? [] : ['-- the way down', down.trim()]),
  ]
  return `${mark}: ${title}\n${parts.join('\n').replace(/^/gm, '    ')}`
}

function shown({ title, before, up, down }: Example) {
  return { title, before: before ?? null, up, down: down ?? null }
}
