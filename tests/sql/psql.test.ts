/** Commands to psql in a file: what changes nothing is passed over, the others are refused with what to write instead. */
import { describe, expect, test } from 'vitest'
import { parseSql } from '../../src/sql/parse.ts'
import { failureOf } from '../migrations/support.ts'

describe('a command to psql', () => {
  test.each([
    [String.raw`\set owner 'ann'`, 'where the variable stands'],
    [String.raw`\ir ../views.sql`, 'text of that file'],
    [String.raw`\connect other`, 'the database of its track'],
    [String.raw`\copy a from 'rows.csv'`, 'from stdin'],
    [String.raw`select 'select 1' \gexec`, 'EXECUTE'],
    [String.raw`\if true`, 'DO block'],
    [String.raw`\! rm x`, 'hook'],
    [String.raw`\dt`, 'only shows'],
    [String.raw`\watch 2`, 'Only psql knows it'],
  ])('%s is refused at its line with what to do', async (command, hint) => {
    const failure = await failureOf(
      parseSql(`create table a (id int);\n${command}\n`, { dialect: 'postgres', file: '1.sql' }),
    )
    expect(failure).toMatchObject({
      code: 'SQL_UNSUPPORTED',
      at: { file: '1.sql', line: 2 },
      hint: expect.stringContaining(hint),
    })
  })

  test('that tells psql how to behave changes nothing', async () => {
    const { statements } = await parseSql('\\set ON_ERROR_STOP on\n\\echo begins\ncreate table a (id int);\n', {
      dialect: 'postgres',
    })
    expect(statements.map(({ summary, line }) => [summary, line])).toEqual([['create table a', 3]])
  })
})
