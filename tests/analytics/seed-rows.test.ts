import { expect, test } from 'vitest'
import { seedRows } from '../../src/analytics/run/seed-rows.ts'

const plain = { delimiter: ',', columnTypes: {}, nullWord: 'text' } as const
const typeOf = (...values: string[]) =>
  seedRows(`one,two\n${values.map(value => `${value},x`).join('\n')}`, plain, 'a.csv').columns[0]?.type

test('a column has the narrowest type that all of its values have', () => {
  expect(typeOf('1', '-2', '')).toBe('integer')
  expect(typeOf('1.0', '2')).toBe('integer')
  expect(typeOf('1.5', 'null')).toBe('double')
  expect(typeOf('3000000000')).toBe('bigint')
  expect(typeOf('2026-02-28', '')).toBe('date')
  expect(typeOf('2026-02-30')).toBe('text')
  expect(typeOf('2026-02-28 10:00:00')).toBe('datetime')
  expect(typeOf('2026-02-28T10:00:00Z')).toBe('datetime')
  expect(typeOf('true', 'FALSE')).toBe('boolean')
  expect(typeOf('true', '1')).toBe('text')
  expect(typeOf('5%')).toBe('text')
  expect(typeOf('', 'null')).toBe('integer')
})

test('quotes, delimiters, line ends, marks of order and names that come again', () => {
  const text = '\uFEFFid;name;id;\r\n1;"a;""b""\nc";2;\r\n\r\n3;;4;x'
  expect(seedRows(text, { ...plain, delimiter: ';' }, 'a.csv')).toEqual({
    columns: [
      { name: 'id', type: 'integer' },
      { name: 'name', type: 'text' },
      { name: 'id_2', type: 'integer' },
      { name: 'd', type: 'text' },
    ],
    rows: [
      ['1', 'a;"b"\nc', '2', null],
      ['3', null, '4', 'x'],
    ],
  })
})

test('the word null is none where it is no text, and nowhere where that is asked for', () => {
  const text = 'a,b\n1,null\nnull,x\n'
  expect(seedRows(text, plain, 'a.csv').rows).toEqual([
    ['1', 'null'],
    [null, 'x'],
  ])
  expect(seedRows(text, { ...plain, nullWord: 'none' }, 'a.csv').rows[0]).toEqual(['1', null])
})

test('what is broken says its line', () => {
  expect(() => seedRows('a,b\n1,2\n1,2,3\n', plain, 'a.csv')).toThrow(/3 values/)
  expect(() => seedRows('a,b\n1,"2\n', plain, 'a.csv')).toThrow(/never closed/)
  expect(seedRows('', plain, 'a.csv')).toEqual({ columns: [], rows: [] })
})
