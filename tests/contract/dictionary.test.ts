import { describe, expect, test } from 'vitest'
import { renderDictionary } from '../../src/contract/dictionary.ts'
import { code, documentOf, grid, link, text } from '../../src/contract/markdown.ts'
import { bare, checkInWords, policyInWords } from '../../src/contract/words.ts'
import type { Policy } from '../../src/schema/model.ts'
import { expectGolden } from '../support/golden.ts'
import { schemaOf, shop, shopClassOf, table } from './fixtures.ts'

const inputs = {
  project: { name: 'corner shop' },
  tracks: [{ name: 'operational', schema: shop, classOf: shopClassOf }],
}

describe('the dictionary', () => {
  test('as kept', () => {
    expectGolden('contract/dictionary.md', renderDictionary(inputs))
  })

  test('never lists a partition', () => {
    expect(renderDictionary(inputs)).not.toMatch(/2026w0|orders_default/)
  })

  test('every link in it leads to a heading, also with tracks that have tables of the same name', () => {
    const twice = renderDictionary({
      ...inputs,
      tracks: [...inputs.tracks, { name: 'copy', schema: shop, classOf: () => undefined }],
    })
    const links = Array.from(twice.matchAll(/\]\(#([^)]*)\)/g), ([, anchor]) => anchor)
    const anchors = anchorsIn(twice)
    expect(links.length).toBeGreaterThan(40)
    expect(links.filter(anchor => !anchors.has(anchor ?? ''))).toEqual([])
    expect(new Set(links.filter(anchor => anchor?.startsWith('shoporders'))).size).toBe(2)
  })

  test('every row of a table has as many cells as its head', () => {
    const rows = renderDictionary(inputs).split('\n')
    for (const [number, row] of rows.entries()) {
      if (row.startsWith('|') && rows[number - 1]?.startsWith('|'))
        expect(cellsOf(row), row).toBe(cellsOf(rows[number - 1] ?? ''))
    }
  })

  test('no tables and no tracks make a document too', () => {
    expect(renderDictionary({ project: { name: 'new' }, tracks: [] })).toContain('# Data dictionary of new')
    expect(
      renderDictionary({
        project: { name: 'new' },
        tracks: [{ name: 'a', schema: schemaOf({}), classOf: () => undefined }],
      }),
    ).toContain('No tables yet.')
  })

  test('a column that differs from its table in retention says so', () => {
    const schema = schemaOf({ tables: [table('a.b', ['id int', 'x int', 'note text'])] })
    const classOf = (_: string, column: string) =>
      ({
        class: 'internal',
        protection: 'none',
        retentionDays: column === 'note' ? 30 : 90,
        purge: column === 'note' ? 'anonymize' : 'delete',
      }) as const
    const page = renderDictionary({ project: { name: 'p' }, tracks: [{ name: 'a', schema, classOf }] })
    expect(page).toContain('**Kept** 90 days, then deleted')
    expect(page).toMatch(/\| `note` .*kept 30 days, then anonymized/)
    expect(page).not.toMatch(/\| `x` .*kept/)
  })

  test('row-level security without a policy, switched-off triggers and unvalidated constraints are told', () => {
    const schema = schemaOf({
      tables: [
        table('a.b', ['id int'], {
          rowSecurity: { enabled: true, forced: false, policies: [] },
          triggers: [
            {
              name: 't',
              definition: 'CREATE TRIGGER t BEFORE UPDATE OR DELETE ON a.b FOR EACH ROW EXECUTE FUNCTION a.f()',
              enabled: false,
            },
          ],
          checks: [{ name: 'c', definition: 'CHECK ((id > 0)) NOT VALID', validated: false }],
        }),
      ],
    })
    const page = renderDictionary({ project: { name: 'p' }, tracks: [{ name: 'a', schema, classOf: () => undefined }] })
    expect(page).toContain('Nobody but the owner sees a row')
    expect(page).toContain('`t`: before update or delete, for each row, calls `a.f()`, switched off')
    expect(page).toContain('`id` is greater than 0, not validated for old rows (`c`)')
  })
})

describe('Markdown', () => {
  test('escapes what it would read as a mark, and leaves code spans and words with underscores alone', () => {
    expect(text('a *star*, <b>, a_b, _c_, [d], `e*f` and\na line')).toBe(
      'a \\*star\\*, &lt;b&gt;, a_b, \\_c\\_, \\[d\\], `e*f` and a line',
    )
    expect(text('one ` backtick')).toBe('one \\` backtick')
  })

  test('code holds backticks, and a cell holds pipes', () => {
    expect(code('a`b')).toBe('``a`b``')
    expect(code('`a')).toBe('`` `a ``')
    expect(grid(['h'], [[code('a|b')]])).toBe('| h |\n| --- |\n| `a\\|b` |')
  })

  test('headings of the same words get the anchors that a code host gives them', () => {
    const page = documentOf([
      { level: 1, title: '`a.b`', key: '1' },
      { level: 2, title: 'A B!', key: '2' },
      { level: 2, title: '`ab`', key: '3' },
      [link('x', '1'), link('y', '2'), link('z', '3')].join(' '),
    ])
    expect(page).toContain('[x](#ab) [y](#a-b) [z](#ab-1)')
  })
})

describe('SQL in words', () => {
  test.each([
    ['CHECK ((total >= (0)::numeric))', '`total` is at least 0'],
    ["CHECK ((status = ANY (ARRAY['open'::text, 'it''s'::text])))", "`status` is one of `open`, `it's`"],
    ["CHECK (((status)::text = ANY ((ARRAY['open'::character varying, 'paid'::character varying])::text[])))", null],
    ["CHECK((status IN ('a', 'b')))", '`status` is one of `a`, `b`'],
    ['CHECK (((octet_length(hash) = 32)))', '`hash` has 32 bytes'],
    ['CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))', '`name` has 1 to 100 characters'],
    ['CHECK (((a IS NULL) OR ((b > 0) AND (b < 9))))', '`a` is null, or `b` is greater than 0 and `b` is less than 9'],
    ['CHECK ((deleted_at >= created_at))', '`deleted_at` is at least `created_at`'],
    ["CHECK ((slug ~ '^(a|b)$'::text))", '`slug` matches `^(a|b)$`'],
    ["CHECK ((note <> 'a AND b'::text))", '`note` is not `a AND b`'],
    ['CHECK (((a > 0) AND ((b > 0) OR (c > 0))))', null],
    ['CHECK (is_valid(a))', null],
    ['CHECK ((enabled = true))', null],
  ])('%s', (definition, words) => {
    expect(checkInWords(definition)).toBe(words)
  })

  const policy: Policy = {
    name: 'p',
    command: 'all',
    permissive: true,
    roles: ['app'],
    using: '(org = ( SELECT f.current_org() AS current_org))',
    withCheck: null,
  }
  test.each([
    [policy, '`app` may read and write only rows where `org = f.current_org()`.'],
    [{ ...policy, command: 'select', using: 'true', roles: ['a', 'b'] }, '`a`, `b` may each read all rows.'],
    [
      { ...policy, command: 'insert', using: null, withCheck: '(x > 0)', roles: ['public'] },
      'Every role may add only rows where `x > 0`.',
    ],
    [
      { ...policy, command: 'update', using: 'true', withCheck: '(x > 0)' },
      '`app` may change all rows and leave only rows where `x > 0` behind.',
    ],
    [{ ...policy, command: 'delete', using: 'false' }, '`app` may delete no rows.'],
    [
      { ...policy, permissive: false },
      '`app` may read and write only rows where `org = f.current_org()`, whatever other policies allow.',
    ],
  ] as const)('policy %#', (given, words) => {
    expect(policyInWords(given)).toBe(words)
  })

  test('only parentheses that enclose everything are taken away', () => {
    expect(bare('((a) + (b))')).toBe('(a) + (b)')
    expect(bare("(a = ')(')")).toBe("a = ')('")
  })
})

/** The rule of code hosts, written down a second time. */
function anchorsIn(page: string): ReadonlySet<string> {
  const seen = new Map<string, number>()
  const anchors = new Set<string>()
  for (const [, title = ''] of page.matchAll(/^#{1,6} (.*)$/gm)) {
    const slug = title
      .replace(/[`\\]/g, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replace(/ /g, '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    anchors.add(times ? `${slug}-${times}` : slug)
  }
  return anchors
}

function cellsOf(row: string): number {
  return row.replaceAll('\\|', '').split('|').length
}
