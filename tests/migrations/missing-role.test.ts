/** A role that the rehearsal server lacks is recognised by what the statement names, since a server may speak any language. */
import { expect, onTestFinished, test } from 'vitest'
import { PlinthError } from '../../src/errors.ts'
import { missingRole } from '../../src/migrations/rehearse/missing-role.ts'
import { answerFailure, openSurroundings } from '../../src/migrations/rehearse/surroundings.ts'
import { openParser } from '../../src/sql/parse.ts'
import { emptyDatabase } from '../support/database.ts'
import { openSession } from './support.ts'

const inGerman = (name: string) =>
  new PlinthError('SQL_FAILED', `Rolle »${name}« existiert nicht`, { sqlState: '42704' })

test.each([
  ['a grant', (role: string) => `grant select on t to pg_monitor, ${role}`],
  ['an owner', (role: string) => `alter table t owner to ${role}`],
  ['a policy', (role: string) => `create policy p on t to current_user, "${role}" using (true)`],
  [
    'default privileges',
    (role: string) => `alter default privileges for role ${role} grant select on tables to public`,
  ],
  ['a schema', (role: string) => `create schema s authorization ${role}`],
  ['a user mapping', (role: string) => `create user mapping for ${role} server s`],
  ['set role', (role: string) => `set role ${role}`],
  ['settings of a role', (role: string) => `alter role ${role} set work_mem = '8MB'`],
  ['members', (role: string) => `grant pg_monitor to ${role}`],
  ['owned objects', (role: string) => `reassign owned by ${role} to current_user`],
])('%s', async (_, text) => {
  const session = await openSession((await emptyDatabase()).url)
  const [statement] = (await openParser('postgres'))(text('only_said_here')).statements
  expect(await missingRole(session, inGerman('only_said_here'), [statement?.tree])).toBe('only_said_here')
})

test('something else that is not known is no role', async () => {
  const session = await openSession((await emptyDatabase()).url)
  const [statement] = (await openParser('postgres'))('grant usage on type nothing to pg_monitor, public').statements
  const error = new PlinthError('SQL_FAILED', 'Typ »nothing« existiert nicht', { sqlState: '42704' })
  expect(await missingRole(session, error, [statement?.tree])).toBeNull()
  const other = new PlinthError('SQL_FAILED', 'Relation »t« existiert nicht', { sqlState: '42P01' })
  const [grant] = (await openParser('postgres'))('grant select on t to only_said_here').statements
  expect(await missingRole(session, other, [grant?.tree])).toBeNull()
})

test('it is made where that is allowed, and said', async () => {
  const role = `only_there_too_${process.pid}`
  const session = await openSession((await emptyDatabase()).url)
  onTestFinished(() => session.query(`drop role if exists ${role}`).then(() => undefined))
  const [statement] = (await openParser('postgres'))(`grant select on t to ${role}`).statements
  const around = openSurroundings('make')
  expect(await answerFailure(session, { error: inGerman(role), statement }, around)).toBe('try again')
  expect([...around.gaps].join()).toContain(role)
  const { rows } = await session.query('select rolcanlogin from pg_roles where rolname = $1', [role])
  expect(rows).toEqual([{ rolcanlogin: false }])
  expect(await answerFailure(session, { error: inGerman(role), statement: undefined }, openSurroundings('leave'))).toBe(
    'fail',
  )
})
