import { describe, expect, test } from 'vitest'
import { PlinthError } from '../../src/errors.ts'
import { parseTemplate, renderTemplate, strict } from '../../src/sql/template.ts'

function render(source: string): string {
  const template = parseTemplate({ file: 'shop.sql', source })
  const values = { target: strict('target', { name: 'shop', schema: 'sales' }), answer: () => 42, half: () => 0.5 }
  return renderTemplate(template, { macros: [], values }).sql
}

function failure(source: string): { message: string; line: number | undefined; hint: string | undefined } {
  try {
    return { message: `rendered: ${render(source)}`, line: undefined, hint: undefined }
  } catch (error) {
    if (!(error instanceof PlinthError)) throw error
    return { message: error.message, line: error.at?.line, hint: error.hint }
  }
}

/** Each of these prints under dbt-core (Python's Jinja) what stands beside it. */
const same: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'values print as Python prints them': [
    ["{{ ['pear', 'fig'] }}", "['pear', 'fig']"],
    ["{{ ('pear', 'fig') }} {{ ('pear',) }}", "('pear', 'fig') ('pear',)"],
    ["{{ {'fruit': ['fig', none, true, 1.0]} }}", "{'fruit': ['fig', None, True, 1.0]}"],
    ['{{ "it\'s" }} {{ ["it\'s"] }}', 'it\'s ["it\'s"]'],
    ['{{ true }} {{ none }} {{ 1.50 }} {{ 1e-7 }} {{ 2 ** 64 }}', 'True None 1.5 1e-07 18446744073709551616'],
    ['{{ 7 / 2 }} {{ 8 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 0.1 + 0.2 }}', '3.5 4.0 -4 2 0.30000000000000004'],
    ["[{{ {'a': 1}.gone }}] [{{ 'x' if false }}]", '[] []'],
    ["{{ '%s of %03d' % ('fig', 7) }} {{ '{:>5}|{:.2f}'.format('fig', 2.5) }}", 'fig of 007   fig|2.50'],
  ],
  'loops, branches and blocks': [
    ['{% for i in range(10, 0, -4) %}{{ i }}{{ "," if not loop.last }}{% endfor %}', '10,6,2'],
    ["{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", 'a1b2'],
    ['{% for n in [1, 2, 3, 4] if n is even %}{{ loop.index }}:{{ n }} {% else %}none{% endfor %}', '1:2 2:4 '],
    ['{% for n in [] %}x{% else %}none{% endfor %}', 'none'],
    [
      "{% for a in [1, 2] %}{% set outer = loop %}{% for b in 'xy' %}{{ outer.index }}{{ b }}{% endfor %}{% endfor %}",
      '1x1y2x2y',
    ],
    ['{% set n = 0 %}{% for i in [1, 2] %}{% set n = i %}{% endfor %}{{ n }}', '0'],
    ['{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}', '3'],
    [
      '{% set q | upper %}select{% endset %}{{ q }} {% filter upper %}x{% endfilter %} {% with a = 1 %}{{ a }}{% endwith %}',
      'SELECT X 1',
    ],
    ['a {%- raw %} {{ kept }} {% endraw -%} b', 'a {{ kept }} b'],
    ['{# none of {{ this }} #}a {#- trimmed -#} b', 'ab'],
    [
      '{% macro m(a, b=a) %}{{ a }}{{ b }}{{ varargs | join }}{{ kwargs }}{% endmacro %}{{ m(1) }} {{ m(1, 2, 3, c=4) }}',
      "11{} 123{'c': 4}",
    ],
    ['{% macro box() %}[{{ caller(1) }}]{% endmacro %}{% call(n) box() %}{{ n }}!{% endcall %}', '[1!]'],
    ["{% for t in [{'n': 1, 'c': [{'n': 2, 'c': []}]}] recursive %}{{ t.n }}{{ loop(t.c) }}{% endfor %}", '12'],
  ],
  'operators and what can be asked': [
    ['{{ 1 < 2 < 3 }} {{ 1 in [1] and not 2 in [1] }} {{ 2 not in [1] }}', 'True True True'],
    ["{{ 'a' ~ 1 ~ none }} {{ [0] * 2 + [1] }} {{ 'ab' * 2 }}", 'a1None [0, 0, 1] abab'],
    ["{{ 'abcdef'[1:-1:2] }} {{ [1, 2, 3][::-1] }} {{ (1, 2)[-1] }}", 'bd [3, 2, 1] 2'],
    [
      '{{ 4 is divisibleby(2) }} {{ 4 is divisibleby 3 }} {{ gone is not defined }} {{ 1.0 is float }}',
      'True False True True',
    ],
  ],
  filters: [
    ["{{ [{'n': 'b'}, {'n': 'a'}] | sort(attribute='n') | map(attribute='n') | join(', ') }}", 'a, b'],
    ["{{ [1, 2, 3] | select('odd') | list }} {{ [1, none] | reject('none') | list }}", '[1, 3] [1]'],
    [
      "{% for g in [{'k': 'b', 'v': 1}, {'k': 'a', 'v': 2}] | groupby('k') %}{{ g.grouper }}{{ g.list | sum(attribute='v') }}{% endfor %}",
      'a2b1',
    ],
    ['{{ 2.5 | round }} {{ 3.14159 | round(2) }} {{ 10 | round }} {{ "7" | int + 1 }}', '2.0 3.14 10 8'],
    [
      "{{ {'b': 1, 'a': 2} | dictsort }} {{ {'b': 1} | tojson }} {{ tojson({'b': [true, none]}) }}",
      '[(\'a\', 2), (\'b\', 1)] {"b": 1} {"b": [true, null]}',
    ],
    ['{% for b in [1, 2, 3] | batch(2) %}{{ b }}{% endfor %} {{ "a\nb" | indent(2) }}', '[1, 2][3] a\n  b'],
  ],
  'methods of texts, lists and mappings': [
    [
      "{{ 'a.b.c'.split('.', 1) }} {{ 'a.b'.rpartition('.') }} {{ '7'.zfill(3) }} {{ ' x '.strip() }}",
      "['a', 'b.c'] ('a', '.', 'b') 007 x",
    ],
    [
      '{% set l = [2, 1] %}{% do l.append(3) %}{% do l.sort() %}{{ l }} {{ l.pop(0) }} {{ l.index(3) }}',
      '[1, 2, 3] 1 1',
    ],
    [
      "{% set d = {'a': none} %}{{ d.get('a', 1) }} {{ d.get('b', 1) }} {{ d.setdefault('c', 3) }} {{ d.pop('c') }} {{ d }}",
      "None 1 3 3 {'a': None}",
    ],
  ],
}

describe.each(Object.entries(same))('as under dbt: %s', (_, cases) => {
  test.each(cases)('%s', (source, printed) => {
    expect(render(source)).toBe(printed)
  })
})

test('what functions of ours answer is a value like others', () => {
  expect(render('{{ answer() + 1 }} {{ half() }} {{ target.schema }}')).toBe('43 0.5 sales')
})

describe('what is not there is said, with its line, and not passed over', () => {
  test.each([
    ['select {{ target.database }}', 1, /"target.database" is not known/, /Known: name, schema/],
    ["\n{{ 'a' | uper }}", 2, /filter "uper"/, /"upper"/],
    ['\n\n{{ 1 is evn }}', 3, /test "is evn"/, /"even"/],
    ["{{ 'a'.uppr() }}", 1, /no function/, undefined],
    ["{{ {'a': 1}.b() }}", 1, /no function/, undefined],
    ["{{ [\n1,\n2 + 'a'\n] }}", 3, /"\+" cannot be used with a number and a text/, /"~"/],
    ['{% set a, b = [1] %}', 1, /2 names cannot take 1/, undefined],
    ['{% set target.name = 1 %}', 1, /no namespace|is no namespace/, /namespace\(\)/],
    ['{% macro m(a) %}{% endmacro %}\n{{ m(1, 2) }}', 2, /takes 1 arguments and was given 2/, undefined],
    ['{% macro m(a) %}{% endmacro %}\n{{ m(b=1) }}', 2, /no argument "b"/, /It has: a/],
    ['{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(1) }}', 1, /deep|without end/, undefined],
    ['{{ range(1000000000) }}', 1, /100000 are the most/, undefined],
    ["{{ 'x' * 999999999 }}", 1, /ten million/, undefined],
    ['{{ 1 // 0 }}', 1, /divided by zero/, undefined],
    ['{{ 1 < "a" }}', 1, /no order/, undefined],
    ['{% for x in 5 %}{% endfor %}', 1, /cannot be gone through/, undefined],
    ["{{ 'open }}", 1, /never closed by '/, undefined],
    ['{{ a && b }}', 1, /means nothing/, /"and"/],
    ['{% include "x.sql" %}', 1, /"include" is not supported/, /Supported|mean/],
    ['{% %}', 1, /says no statement/, undefined],
  ])('%s', (source, line, message, hint) => {
    const found = failure(source)
    expect(found.message).toMatch(message)
    expect(found.line).toBe(line)
    if (hint) expect(found.hint).toMatch(hint)
  })
})
