/** Python's modules as dbt lends them to templates; what is expected is what Python prints. */
import { expect, test } from 'vitest'
import { compileProject } from '../../src/analytics/project/compiled.ts'
import { loadProject } from '../../src/analytics/project/load.ts'
import { temporaryFolder } from '../support/cli.ts'

async function rendered(template: string): Promise<string> {
  const folder = temporaryFolder({
    'dbt_project.yml': "name: clock\nversion: '1.0'\n",
    'models/a.sql': template,
  })
  const moment = { startedAt: '2026-03-04T05:06:07.000Z', runId: 'a run' }
  const project = await loadProject(folder, { root: folder, surroundings: { moment } })
  const [file] = await compileProject(project, {
    engine: 'duckdb',
    quote: name => `"${name}"`,
    select: new Set(['model.a']),
  })
  return (file?.sql ?? '').trim()
}

const at = (rest: string) =>
  `{% set d = modules.datetime.datetime(2021, 6, 7, 7, 35, 20) %}{% set tz = modules.pytz.timezone('America/Los_Angeles') %}${rest}`

test.each([
  [
    at('{{ tz }} {{ tz.zone }} {{ tz.localize(d) }}'),
    'America/Los_Angeles America/Los_Angeles 2021-06-07 07:35:20-07:00',
  ],
  [at('{{ tz.localize(d).astimezone(modules.pytz.utc).isoformat() }}'), '2021-06-07T14:35:20+00:00'],
  [at("{{ tz.localize(d).timestamp() | int }} {{ tz.localize(d).strftime('%H:%M%z') }}"), '1623076520 07:35-0700'],
  [at('{{ modules.datetime.datetime(2021, 1, 2, tzinfo=tz) }}'), '2021-01-02 00:00:00-07:53'],
  [at("{{ modules.datetime.datetime.now(modules.pytz.timezone('Asia/Kolkata')) }}"), '2026-03-04 10:36:07+05:30'],
  [at("{{ run_started_at.astimezone(tz).strftime('%Y-%m-%d') }}"), '2026-03-03'],
  [
    "{{ modules.re.sub('[^a-z]+', '_', 'a-b c') }} {{ modules.re.sub('(a)(b)', '\\\\2\\\\1', 'abab', 1) }}",
    'a_b_c baab',
  ],
  [
    "{% set m = modules.re.match('(?P<y>[0-9]+)-(.)', '2021-x') %}{{ m.group('y') }} {{ m.group(2) }} {{ m.groups() | length }}",
    '2021 x 2',
  ],
  [
    "{{ modules.re.match('b', 'ab') is none }} {{ modules.re.search('B', 'ab', modules.re.IGNORECASE).start() }}",
    'True 1',
  ],
  ["{{ modules.re.findall('[a-z]', 'a1b2') }} {{ modules.re.split('[,;]', 'a,b;c') }}", "['a', 'b'] ['a', 'b', 'c']"],
  [
    "{{ modules.itertools.chain([1], [2, 3]) | list }} {{ modules.itertools.product('ab', [1, 2]) | list }}",
    "[1, 2, 3] [('a', 1), ('a', 2), ('b', 1), ('b', 2)]",
  ],
  [
    '{{ modules.itertools.combinations([1, 2, 3], 2) | list }} {{ modules.itertools.permutations([1, 2]) | list }}',
    '[(1, 2), (1, 3), (2, 3)] [(1, 2), (2, 1)]',
  ],
  ["{{ modules.itertools.zip_longest([1, 2], ['x'], fillvalue='-') | list }}", "[(1, 'x'), (2, '-')]"],
  [
    "{% for band, (low, high) in {'few': (0, 2), 'many': (3, none)}.items() %}{{ band }} {{ low }} {{ high }};{% endfor %}",
    'few 0 2;many 3 None;',
  ],
])('%s', async (template, expected) => {
  expect(await rendered(template)).toBe(expected)
})

test('a zone or a pattern that nobody understands is an error at its line', async () => {
  await expect(rendered("select 1\n{{ modules.pytz.timezone('Mars/Base') }}")).rejects.toMatchObject({
    code: 'TRANSFORM_INVALID',
    message: 'There is no time zone "Mars/Base".',
    at: { file: 'models/a.sql', line: 2 },
  })
  await expect(rendered("select 1\n\n{{ modules.re.sub('(', '', 'a') }}")).rejects.toMatchObject({
    code: 'TRANSFORM_INVALID',
    at: { file: 'models/a.sql', line: 3 },
  })
})
