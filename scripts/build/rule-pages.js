// The pages of lint's rules, from the rules themselves.
import { frameRules } from '../../dist/lint/frame-rules.js'
import { categories } from '../../dist/lint/rule.js'
import { rules } from '../../dist/lint/rules/index.js'

const generated = 'Generated from `src/lint/rules/` by `npm run generate`; every example is run by the tests.'

/** What there is, by what it is about. */
export function ruleIndex() {
  const groups = [...categories, 'lint'].map(category => ({
    category,
    own: described().filter(one => one.category === category),
  }))
  return [
    '# Rules of lint',
    '',
    generated,
    `\`plinth explain <rule>\` prints the same text. ${rules.length} rules judge what migrations do; the last group is about linting itself.`,
    '',
    ...groups
      .filter(({ own }) => own.length > 0)
      .flatMap(({ category, own }) => [`## ${category}`, '', ...listOf(own), '']),
  ].join('\n')
}

export function rulePages() {
  return described().map(rule => ({ name: rule.name, text: pageOf(rule) }))
}

function described() {
  return [...rules, ...frameRules.map(rule => ({ ...rule, category: 'lint', examples: { bad: [], good: [] } }))]
}

function listOf(own) {
  const rows = own.map(({ name, severity, title }) => `| [${name}](${name}.md) | ${severity} | ${cell(title)} |`)
  return ['| rule | severity | finds |', '|---|---|---|', ...rows]
}

function pageOf({ name, category, severity, title, why, instead, examples, shape, needs }) {
  const basis =
    shape === 'schema' || needs === 'rehearsal'
      ? 'It is judged by what a rehearsal on a real PostgreSQL showed, and not without one.'
      : shape === undefined
        ? ''
        : 'It is judged by the text, and better by what a rehearsal on a real PostgreSQL showed.'
  return [
    `# ${name}`,
    '',
    `${title}.`,
    '',
    `*${category}, ${severity}.* ${basis}`.trim(),
    '',
    '## Why',
    '',
    why,
    '',
    '## Instead',
    '',
    instead,
    '',
    ...section('Bad', examples.bad),
    ...section('Good', examples.good),
    `${generated} Allow one in a file: \`-- plinth:allow ${name} reason="…"\`.`,
    '',
  ].join('\n')
}

function section(title, examples) {
  if (examples.length === 0) return []
  return [`## ${title}`, '', ...examples.flatMap(exampleOf)]
}

function exampleOf({ title, before, up, down, file }) {
  const sql = [
    ...(before === undefined ? [] : ['-- applied earlier', before.trim(), '']),
    ...(file === undefined ? [] : [`-- ${file}`]),
    up.trim(),
    ...(down === undefined ? [] : ['', '-- the way down', down.trim()]),
  ]
  return [`${title[0].toUpperCase()}${title.slice(1)}:`, '', '```sql', ...sql, '```', '']
}

function cell(text) {
  return text.replaceAll('|', '\\|')
}
