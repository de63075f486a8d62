/** The house is in order, and the checker that says so can say otherwise. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkTree, type Complaint, importsOf } from './support/tidy.ts'

test('this repository is tidy', () => {
  const complaints = checkTree(join(import.meta.dirname, '..'))
  expect(complaints.map(({ rule, at, says }) => `${rule}: ${at} ${says}`)).toEqual([])
})

describe('a tree that is not', () => {
  test('an arrow may point down and sideways', () => {
    expect(
      complaintsOf({
        'src/cli/main.ts': `import { a } from '../foundation.ts'`,
        'src/foundation.ts': `import './engines/engine.ts'`,
        'src/engines/engine.ts': `import '../sql/parse.ts'`,
        'src/sql/parse.ts': `import '../config/load.ts'`,
        'src/config/load.ts': `import '../errors.ts'`,
        'src/errors.ts': '',
      }),
    ).toEqual([])
  })

  test.each([
    ['an import', `import { a } from '../migrations/run.ts'`],
    ['an import of a type', `import type { A } from '../migrations/run.ts'`],
    ['an import for its effect', `import '../migrations/run.ts'`],
    ['a re-export', `export { a } from '../migrations/run.ts'`],
    ['a re-export of everything', `export * from '../migrations/run.ts'`],
    ['an import over several lines', `import {\n  a,\n  b,\n} from '../migrations/run.ts'`],
    ['a dynamic import', `const a = async () => (await import('../migrations/run.ts')).a`],
    ['the type of an import', `type A = typeof import('../migrations/run.ts')`],
  ])('an arrow up is found: %s', (_what, text) => {
    expect(complaintsOf({ 'src/engines/engine.ts': text, 'src/migrations/run.ts': '' })).toEqual([
      {
        rule: 'arrow up',
        at: `src/engines/engine.ts:${text.split('\n').length}`,
        says: 'engines (layer 3) imports migrations (layer 4)',
      },
    ])
  })

  test('a comment is no arrow, and lines count beyond it', () => {
    const text = `/**\n * import { a } from '../cli/main.ts'\n */\n// import '../cli/main.ts'\nimport { b } from '../foundation.ts'\n`
    expect(
      complaintsOf({ 'src/engines/engine.ts': text, 'src/cli/main.ts': '', 'src/foundation.ts': '' }).map(
        ({ at }) => at,
      ),
    ).toEqual(['src/engines/engine.ts:5'])
  })

  test('a package is no arrow', () => {
    expect(
      importsOf(tree({ 'a.ts': `import pg from 'pg'\nimport { join } from 'node:path'\nimport './b.ts'` }), 'a.ts'),
    ).toEqual([{ from: 'a.ts', to: 'b.ts', line: 3 }])
  })

  test('a part may import itself but no other part', () => {
    expect(
      complaintsOf({
        'src/lint/run.ts': `import './rule.ts'\nimport '../seeds/plan.ts'`,
        'src/lint/rule.ts': '',
        'src/seeds/plan.ts': '',
      }),
    ).toEqual([
      {
        rule: 'part imports part',
        at: 'src/lint/run.ts:2',
        says: 'lint imports seeds; foundation.ts passes the value instead',
      },
    ])
  })

  test('a circle is told once, with its way, whatever kind of import closes it', () => {
    expect(
      complaintsOf({
        'src/sql/a.ts': `import './b.ts'`,
        'src/sql/b.ts': `export * from './c.ts'`,
        'src/sql/c.ts': `import type { A } from './a.ts'`,
        'src/sql/d.ts': `import './a.ts'`,
      }),
    ).toEqual([{ rule: 'circle', at: 'src/sql/a.ts', says: 'sql/a.ts → sql/b.ts → sql/c.ts → sql/a.ts' }])
  })

  test('a file that imports itself is a circle', () => {
    expect(complaintsOf({ 'src/sql/a.ts': `const again = () => import('./a.ts')` })).toMatchObject([
      { rule: 'circle', says: 'sql/a.ts → sql/a.ts' },
    ])
  })

  test('a folder that has no layer', () => {
    expect(complaintsOf({ 'src/extras/a.ts': '' })).toEqual([
      { rule: 'layer unknown', at: 'src/extras/a.ts', says: 'extras is in no layer of tests/support/tidy.ts' },
    ])
  })

  test('a migration without its opposite, in either direction and any track', () => {
    expect(
      complaintsOf({
        'db/migrations/operational/202601010000_a.up.sql': '',
        'db/migrations/operational/202601020000_b.up.sql': '',
        'db/migrations/operational/202601020000_b.down.sql': '',
        'db/migrations/analytics/202601010000_c.down.sql': '',
      }),
    ).toEqual([
      { rule: 'pair', at: 'db/migrations/analytics/202601010000_c.down.sql', says: 'has no .up.sql beside it' },
      { rule: 'pair', at: 'db/migrations/operational/202601010000_a.up.sql', says: 'has no .down.sql beside it' },
    ])
  })

  test.each([
    'src/sql/utils.ts',
    'src/sql/string-helpers.ts',
    'src/sql/common/parse.ts',
    'tests/lock-manager.ts',
    'src/sql/util.test.ts',
  ])('a name that says nothing: %s', file => {
    expect(complaintsOf({ [file]: '' })).toMatchObject([{ rule: 'name', at: file }])
  })

  test('a name that only holds such a word is fine', () => {
    expect(complaintsOf({ 'src/sql/community.ts': '', 'src/sql/uncommon-words.ts': '' })).toEqual([])
  })
})

function complaintsOf(files: Readonly<Record<string, string>>): Complaint[] {
  return checkTree(tree(files))
}

function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'plinth-tidy-test-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  return root
}
