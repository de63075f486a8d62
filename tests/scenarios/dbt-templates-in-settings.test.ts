/** Stories of templates that stand where a text is expected: in variables of a package and in the arguments of a check. */
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'

const files = {
  'dbt_project.yml': "name: cinema\nprofile: cinema\nversion: '1.0'\nvars: {tickets: {least_price: 5}}\n",
  'profiles.yml': 'cinema:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: cinema.duckdb}\n',
  'packages.yml': 'packages:\n  - local: tickets\n',
  'seeds/sales.csv': 'id,price\n1,5\n2,9\n',
  'tickets/dbt_project.yml': `name: tickets
version: '1.0'
vars:
  tickets:
    sold: "{{ source('till', 'sales') }}"
    least_price: 1
    dear: "price > {{ var('least_price') * 1 }}"
`,
  'tickets/models/till.yml': `sources:
  - name: till
    schema: "{{ target.schema }}"
    tables: [{name: sales}]
models:
  - name: dear_tickets
    columns:
      - name: price
        data_tests:
          - tickets.holds: {arguments: {condition: "price >= {{ tickets.twice(2) }}", others: ["id > {{ 1 - 1 }}", id < 9]}}
          - tickets.holds: {arguments: {condition: "price > {{ tickets.twice(9) }}"}, name: none_is_that_dear, config: {severity: warn}}
`,
  'tickets/models/dear_tickets.sql': "select * from {{ var('sold') }} as sales where {{ render(var('dear')) }}\n",
  'tickets/macros/words.sql': `{% macro twice(n) %}{{ n * 2 }}{% endmacro %}
{% test holds(model, column_name, condition, others=[]) %}
select * from {{ model }} where not ({{ ([condition] + others) | join(' and ') }})
{% endtest %}
`,
}

function story(more: Readonly<Record<string, string>> = {}) {
  const cwd = temporaryFolder({ ...files, ...more })
  return (...args: string[]) => plinth(args, { cwd, env: { HOME: cwd } })
}

test('a variable may be a template, and so may a part of what a check is given', async () => {
  const run = story()
  // What a package reads by a variable is known to the graph.
  const listed = await run('rollup', 'list', '--select', 'source:till+', '--json')
  expect(listed.json.error ?? listed.json.data.nodes.map((node: { name: string }) => node.name)).toContain(
    'dear_tickets',
  )
  expect((await run('rollup', 'run', '--select', 'sales')).status).toBe(0)
  expect((await run('rollup', 'run')).stderr).toBe('')
  const checked = await run('check', '--json')
  expect(
    checked.json.data.checks.map((one: { check: string; status: string; failures: number }) => [
      one.check,
      one.status,
      one.failures,
    ]),
  ).toEqual(expect.arrayContaining([['none_is_that_dear', 'warned', 1]]))
  expect(checked.json.data.checks.filter((one: { status: string }) => one.status === 'passed')).toHaveLength(1)
})

test('what is wrong in such a variable is told where it is used', async () => {
  const run = story({
    'tickets/models/dear_tickets.sql': "select *\nfrom {{ var('self') }}\n",
    'dbt_project.yml': files['dbt_project.yml'].replace('least_price: 5', 'self: "{{ var(\'self\') }}"'),
  })
  const { error } = (await run('rollup', 'list', '--json')).json
  expect([error?.code, error?.location?.file, error?.location?.line]).toEqual([
    'TRANSFORM_INVALID',
    'tickets/models/dear_tickets.sql',
    2,
  ])
  expect(error?.message).toBe(`In {{ var('self') }}: The variable "self" is not set and has no default.`)
})
