/** A prelude: what a platform gives outside of the migrations is made on scratch databases, never on a target, and is nobody's drift. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { dropKeptAfterwards } from '../support/kept.ts'

const prelude = (role: string) => `create role ${role} nologin;
create schema auth;
comment on schema auth is '${role}';
create table auth.users (id uuid primary key, email text);
create function auth.uid() returns uuid language sql stable as 'select null::uuid';
create function public.dba_probe() returns int language sql as 'select 1';
create table auth.only_in_the_prelude (id int);
alter default privileges in schema public grant select on tables to ${role};
`

/** As the platform really is, which is more than the prelude says. */
const platform = `create schema auth;
create table auth.users (id uuid primary key, aud text, email text not null, unique (email));
comment on table auth.users is 'people';
create table auth.sessions (id uuid primary key, user_id uuid references auth.users);
create function auth.uid() returns uuid language sql stable as $$ select nullif(current_setting('claims', true), '')::uuid $$;
create function auth.role() returns text language sql as 'select current_user::text';
create function public.dba_probe() returns int language plpgsql as 'begin return 2; end';
`

async function story() {
  const mark = randomBytes(6).toString('hex')
  const role = `visitor_${mark}`
  onTestFinished(() =>
    withClient(inject('serverUrl'), async client => void (await client.query(`drop role if exists ${role}`))),
  )
  dropKeptAfterwards(role)
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder({
    'm/1_profiles.up.sql': `create table profiles (
  id uuid primary key references auth.users on delete cascade,
  name text
);
alter table profiles enable row level security;
create policy own on profiles using (id = auth.uid());
grant select on profiles to ${role};
create function profiles_new() returns trigger language plpgsql as $$ begin insert into profiles (id) values (new.id); return new; end $$;
create trigger profiles_new after insert on auth.users for each row execute function profiles_new();
`,
    'm/1_profiles.down.sql':
      'drop trigger profiles_new on auth.users;\ndrop function profiles_new();\ndrop table profiles;\n',
    'm/2_nickname.up.sql': 'alter table profiles add column nickname text;\n',
    'm/2_nickname.down.sql': 'alter table profiles drop column nickname;\n',
    'sql/prelude.sql': prelude(role),
  })
  const configure = (...lines: string[]) =>
    writeFileSync(
      join(cwd, 'plinth.yaml'),
      [
        'version: 1',
        'docs: docs',
        `rehearseOn: ${inject('serverUrl')}`,
        'tracks:',
        '  operational:',
        '    migrations: m',
        ...lines,
        '',
      ].join('\n'),
    )
  const run = (...args: string[]) => plinth([...args, '--track', 'operational', '--database', url], { cwd })
  return { role, url, cwd, configure, run }
}

test('a platform is there wherever the migrations are tried', async () => {
  const { role, url, cwd, configure, run } = await story()
  await withClient(url, client =>
    client.query(
      `create role ${role} nologin; ${platform}; alter default privileges in schema public grant select on tables to ${role}`,
    ),
  )
  configure()
  expect((await run('apply', '--to', '1')).status).toBe(0)

  for (const command of [['rehearse'], ['drift'], ['verify'], ['docs', 'generate']]) {
    const ran = await run(...command, '--json')
    expect([command, ran.status]).toEqual([command, expect.any(Number)])
    expect(ran.status).not.toBe(0)
    expect(ran.stdout).toContain('make it in the prelude of the track')
  }

  configure('    prelude: sql/prelude.sql')
  const twice = [await run('rehearse', '--json'), await run('rehearse', '--json')]
  for (const { status, json } of twice) {
    expect(status).toBe(0)
    expect(json.data.tracks[0].forecast.steps.map(({ failure }: { failure: unknown }) => failure)).toEqual([null])
  }
  expect((await run('verify')).status).toBe(0)
  const drift = await run('drift', '--json')
  expect(drift.json.data.tracks[0].report).toMatchObject({ status: 'none', differences: [] })

  const docs = await run('docs', 'generate')
  expect(docs.status).toBe(0)
  const written = readdirSync(join(cwd, 'docs')).filter(name => name.endsWith('.md'))
  const text = written.map(name => readFileSync(join(cwd, 'docs', name), 'utf8')).join('\n')
  expect(text).toContain('profiles')
  expect(text).not.toContain('only_in_the_prelude')
  expect(text).not.toContain('dba_probe')

  expect((await run('apply')).status).toBe(0)
  await withClient(url, async client => {
    const { rows } = await client.query("select to_regclass('auth.only_in_the_prelude') as made")
    expect(rows).toEqual([{ made: null }])
    await client.query('drop trigger profiles_new on auth.users; alter table profiles drop name')
  })
  const found = await run('drift', '--json')
  expect(found.status).toBe(3)
  expect(found.json.data.tracks[0].report.differences).toMatchObject([
    { change: 'removed', object: 'column public.profiles.name' },
    { change: 'removed', object: 'trigger auth.users.profiles_new' },
  ])
})

test('a prelude that fails names its file and line, and one that is not there its path', async () => {
  const { cwd, configure, run } = await story()
  configure('    prelude: [sql/prelude.sql, sql/more.sql]')
  const gone = await run('verify', '--json')
  expect(gone.status).toBe(2)
  expect(gone.json.error).toMatchObject({ code: 'FILE_UNREADABLE', location: { file: 'sql/more.sql' } })

  writeFileSync(join(cwd, 'sql/more.sql'), 'select 1;\n\ncreate table storage.objects (id int);\n')
  for (const command of ['rehearse', 'verify']) {
    const failed = await run(command, '--json')
    expect(failed.status).toBe(1)
    expect(failed.json.error).toMatchObject({
      code: 'PRELUDE_FAILED',
      sqlState: '3F000',
      location: { file: 'sql/more.sql', line: 3 },
    })
  }
})

test('an edited prelude is rehearsed anew', async () => {
  const { role, cwd, configure, run } = await story()
  configure('    prelude: sql/prelude.sql')
  expect((await run('rehearse', 'm/1_profiles.up.sql')).status).toBe(0)
  writeFileSync(join(cwd, 'sql/prelude.sql'), prelude(role).replace('auth.uid()', 'auth.other()'))
  const { json } = await run('rehearse', 'm/1_profiles.up.sql', '--json')
  expect(json).toMatchObject({ data: { tracks: [{ forecast: { steps: [{ failure: { sqlState: '42883' } }] } }] } })
})
