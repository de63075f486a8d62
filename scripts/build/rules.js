// Writes src/lint/rules/index.ts from the folder, or with --check says that it is stale: a rule is a file, and nobody lists it by hand.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = new URL('../../src/lint/rules/', import.meta.url)
const names = readdirSync(folder)
  .filter(file => /^[a-z0-9-]+\.ts$/.test(file) && file !== 'index.ts')
  .map(file => file.slice(0, -3))
  .filter(name => /^export const rule\b/m.test(readFileSync(new URL(`${name}.ts`, folder), 'utf8')))
  .sort()

const camel = name => name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase())
const text = [
  '/** Every rule, by its name. Generated from the folder by `npm run generate`. */',
  "import type { Rule } from '../rule.ts'",
  ...names.map(name => `import { rule as ${camel(name)} } from './${name}.ts'`),
  '',
  names.length === 0
    ? 'export const rules: readonly Rule[] = []'
    : ['export const rules: readonly Rule[] = [', ...names.map(name => `  ${camel(name)},`), ']'].join('\n'),
  '',
].join('\n')

const file = new URL('index.ts', folder)
const current = () => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
if (current() !== text) {
  if (process.argv.includes('--check')) {
    console.error('stale: src/lint/rules/index.ts (run: npm run generate)')
    process.exitCode = 3
  } else writeFileSync(file, text)
}
