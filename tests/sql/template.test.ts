import { describe, expect, test } from 'vitest'
import { PlinthError } from '../../src/errors.ts'
import { parseTemplate, renderTemplate, type TemplateValue } from '../../src/sql/template.ts'

const values: Record<string, TemplateValue> = {
  ref: ([name]) => ({
    kind: 'relation',
    schema: 'analytics',
    identifier: String(name),
    text: `"analytics"."${String(name)}"`,
  }),
  config: () => '',
  second: ([, second]) => second as TemplateValue,
  is_incremental: () => true,
  fails: () => {
    throw new PlinthError('TRANSFORM_INVALID', 'There is no such thing.')
  },
  echo: (positional, named) => JSON.stringify([positional, named]),
  adapter: {
    dispatch: ([name], _named, { callable }) =>
      callable(`duckdb__${String(name)}`) ?? callable(`default__${String(name)}`) ?? null,
  },
}

function render(source: string, macros = ''): { sql: string; lines: (number | undefined)[] } {
  const macro = parseTemplate({ file: 'macros/dates.sql', source: macros })
  const template = parseTemplate({ file: 'transforms/hourly.sql', source })
  const { sql, place } = renderTemplate(template, { macros: [macro], values })
  return { sql, lines: sql.split('\n').map((_, index) => place(index + 1).line) }
}

function failure(source: string, macros = '') {
  let error: unknown
  try {
    render(source, macros)
  } catch (thrown) {
    error = thrown
  }
  if (!(error instanceof PlinthError)) throw new Error(`expected a PlinthError, got ${String(error)}`)
  return { code: error.code, message: error.message, file: error.at?.file, line: error.at?.line, hint: error.hint }
}

describe('what renders', () => {
  test('none that a function gives back is none', () => {
    const { sql } = render(
      '{% if second(1, none) is not none %}wrong{% else %}{{ second(1, none) is none }}{% endif %}',
    )
    expect(sql).toBe('True')
  })

  test('relations, blocks, macros by dispatch and named arguments', () => {
    const { sql } = render(
      [
        "{{ config(materialized='incremental') }}",
        "select {{ hour('at') }}, '{{ ref('x').schema }}' from {{ ref('x') }} as {{ 'e_' ~ ref('x').identifier }}",
        '{% if is_incremental() %}where true{% else %}where false{% endif %}',
        "{{ echo('a', [1, none], b={'c': 2.5}) }}",
      ].join('\n'),
      [
        "{% macro hour(column) %}{{ adapter.dispatch('hour')(column) }}{% endmacro %}",
        '{% macro default__hour(column) %}never{% endmacro %}',
        "{% macro duckdb__hour(column) -%}\n  date_trunc('hour', {{ column }})\n{%- endmacro %}",
      ].join('\n'),
    )
    expect(sql.split('\n')).toEqual([
      '',
      `select date_trunc('hour', at), 'analytics' from "analytics"."x" as e_x`,
      'where true',
      '[["a",[1,null]],{"b":{"c":2.5}}]',
    ])
  })

  test('`do` prints nothing, `set`, `for` and `is defined` work, and text that macros make can be compared', () => {
    const { sql } = render(
      "{% do config(a=1) %}{% set name %}ab{% endset %}{{ name == 'ab' }} {{ nobody is defined }} {{ nobody | default('-') }}" +
        "{% for i in [1, 2] %}{{ ', ' if not loop.first }}{{ i }}{% endfor %} {{ word() == 'same' }}",
      '{% macro word() %}same{% endmacro %}',
    )
    expect(sql).toBe('True False -1, 2 True')
  })

  test('each line of SQL knows the line of the file that it came from', () => {
    const { lines, sql } = render(
      '{{ config(\n  a=1,\n  b=2) }}\nselect 1,\n  {{ two() }}\nfrom x\n{% if false %}\nwhere y\n{% endif %}\norder by {{ nothing() }}1',
      '{% macro two() %}2,\n3,\n4{% endmacro %}{% macro nothing() %}{% endmacro %}',
    )
    expect(sql.split('\n')).toEqual(['', 'select 1,', '  2,', '3,', '4', 'from x', '', 'order by 1'])
    expect(lines).toEqual([1, 4, 5, 5, 5, 6, 9, 10])
  })
})

describe('what is refused, with file and line', () => {
  const here = { code: 'TRANSFORM_INVALID', file: 'transforms/hourly.sql' }

  test.each([
    ['a block that never ends', 'select 1\n{% if true %}\nx', 2, /"if".*never closed/],
    ['an end without its block', 'select 1\n\n{% endfor %}', 3, /closes nothing/],
    ['a block closed by another end', '{% if true %}\n{% for x in y %}\n{% endif %}', 3, /"for" of line 2/],
    ['a tag that never ends', "select 1\n{{ ref('x')\n", 2, /never closed/],
    ['a missing parenthesis', "select 1\n\n{{ ref('x' }}\nfrom y", 3, /parenthesis|Unexpected/],
    ['an expression that stops', 'select\n{{ 1 + }}', 2, /Unexpected|too early/],
    ['a character that means nothing', 'select\n\n\n{{ 1 ? 2 }}', 4, /\?/],
    ['adding to nothing', 'select\n{{ 1 + none }}', 2, /none/],
    ['a call of what is no function', 'select\n{{ 3() }}', 2, /function/],
  ])('%s', (_, source, line, message) => {
    const { message: said, ...rest } = failure(source)
    expect(rest).toMatchObject({ ...here, line })
    expect(said).toMatch(message)
  })

  test('an unknown name or statement is answered with the nearest known one', () => {
    expect(failure("select\n{{ rf('x') }}")).toMatchObject({ ...here, line: 2, hint: 'Did you mean "ref"?' })
    expect(failure('select\n{% fore x in y %}{% endfor %}')).toMatchObject({
      ...here,
      line: 2,
      hint: 'Did you mean "for"?',
    })
    expect(failure('{% snapshot x %}')).toMatchObject({
      ...here,
      line: 1,
      hint: expect.stringContaining('Supported'),
    })
  })

  test('a failing function of ours gets the place of its call, also after a macro ran', () => {
    expect(failure('select {{ fine() }}\n,{{ fails() }}', '{% macro fine() %}\n1{% endmacro %}')).toMatchObject({
      ...here,
      line: 2,
    })
    expect(
      failure('select {{ fine() }},\n{{ fine() + fails() }}', '{% macro fine() %}\n1{% endmacro %}'),
    ).toMatchObject({ ...here, line: 2 })
  })

  test('a failure inside a macro points into the file of the macro', () => {
    expect(
      failure(
        'select\n{{ bad() }}',
        '{% macro good() %}{% endmacro %}\n\n{% macro bad() %}\n{{ 1 + none }}{% endmacro %}',
      ),
    ).toMatchObject({
      code: 'TRANSFORM_INVALID',
      file: 'macros/dates.sql',
      line: 4,
    })
  })
})
