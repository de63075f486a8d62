/** Every rule keeps its word: its bad examples are found, its good ones are not, and PostgreSQL runs them all as they say. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { frameRules } from '../../src/lint/frame-rules.ts'
import { categories, type Example, type Rule } from '../../src/lint/rule.ts'
import { rules } from '../../src/lint/rules/index.ts'
import { severities } from '../../src/schema/finding.ts'
import type { Rehearsal } from '../../src/schema/rehearsal.ts'
import { lintExample, rehearseExample } from '../support/lint.ts'

test('names are unique, and tell what they are about', () => {
  const names = [...rules, ...frameRules].map(rule => rule.name)
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z0-9]+)*$/)
})

test('the list holds every file of the folder', () => {
  const files = readdirSync(join(import.meta.dirname, '../../src/lint/rules')).filter(file => file !== 'index.ts')
  expect(files.sort()).toEqual(rules.map(rule => `${rule.name}.ts`).sort())
  expect(rules.length).toBeGreaterThanOrEqual(70)
})

describe.each(rules.map(rule => [rule.name, rule] as const))('%s', (_, rule) => {
  test('explains itself', () => {
    expect(categories).toContain(rule.category)
    expect(severities).toContain(rule.severity)
    expect(rule.title).toMatch(/^[A-Z`][^\n]*[^.\n]$/)
    expect(rule.why.trim()).toMatch(/^[\s\S]{40,}[.`)|]$/)
    expect(rule.instead.trim().length).toBeGreaterThan(15)
    expect(rule.examples.bad.length).toBeGreaterThan(0)
    expect(rule.examples.good.length).toBeGreaterThan(0)
    const titles = [...rule.examples.bad, ...rule.examples.good].map(example => example.title)
    expect(new Set(titles).size).toBe(titles.length)
  })

  for (const example of rule.examples.bad.filter(one => readsText(rule) && one.only !== 'rehearsal'))
    test(`finds in the text: ${example.title}`, async () => {
      const found = await saidOf(rule, example)
      expect(found).not.toEqual([])
    })

  for (const example of rule.examples.good)
    test(`leaves alone in the text: ${example.title}`, async () => {
      const found = await saidOf(rule, example)
      expect(found).toEqual([])
    })

  for (const example of rule.examples.bad)
    test(`finds on a server: ${example.title}`, async () => {
      const rehearsal = await rehearse(example)
      const found = await saidOf(rule, example, rehearsal)
      if (example.only === 'text') return
      expect(found.map(({ name }) => name)).toContain(rule.name)
    })

  for (const example of rule.examples.good)
    test(`leaves alone on a server: ${example.title}`, async () => {
      const rehearsal = await rehearse(example)
      expect(await saidOf(rule, example, rehearsal)).toEqual([])
    })
})

function readsText(rule: Rule): boolean {
  return rule.shape !== 'schema' && rule.needs === 'text'
}

/** Runs the example, and holds it to what it says of itself. */
async function rehearse(example: Example): Promise<Rehearsal> {
  const rehearsal = await rehearseExample(example)
  const failures = rehearsal.steps.flatMap(step => (step.failure ? [step.failure.message] : []))
  if (example.fails) expect(failures).toHaveLength(1)
  else expect(failures).toEqual([])
  const always = /a block or a procedure|what is said of a database by its name/
  expect(rehearsal.gaps.filter(gap => !always.test(gap))).toEqual([])
  return rehearsal
}

/** What the rule says, where nothing but the rule itself is asked. */
async function saidOf(rule: Rule, example: Example, rehearsal: Rehearsal | null = null) {
  const { findings } = await lintExample(example, rehearsal, [rule])
  expect(findings.filter(one => one.rule === 'syntax')).toEqual([])
  return findings
    .filter(one => one.rule !== 'rehearsal-failed')
    .map(({ rule: name, message, line }) => ({ name, message, line }))
}
