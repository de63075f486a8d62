import { createHash } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createMigration, slugOf } from '../../src/migrations/create.ts'
import { loadMigrations } from '../../src/migrations/load.ts'
import { failureOf, folderOf, temporaryFolder } from './support.ts'

describe('a folder of migrations', () => {
  test('golang-migrate names: plain numbers of any width, ordered as numbers, spelled as written', async () => {
    const folder = await folderOf({
      '1_init': ['', ''],
      '10_ten': ['', ''],
      '002_two': ['', ''],
      '99999999999999999999_far': ['', ''],
      '20210101_': ['', ''],
    })
    const { migrations, warnings } = await loadMigrations(folder)
    expect(migrations.map(one => [one.version, one.slug])).toEqual([
      ['1', 'init'],
      ['002', 'two'],
      ['10', 'ten'],
      ['20210101', ''],
      ['99999999999999999999', 'far'],
    ])
    expect(warnings).toEqual([])
  })

  test('a byte order mark and CRLF are taken as they are; the checksum is that of the bytes', async () => {
    const bytes = Buffer.from('\ufeffselect 1;\r\n', 'utf8')
    const { migrations } = await loadMigrations(await folderOf({ '1_a.up.sql': bytes, '1_a.down.sql': '' }))
    expect(migrations[0]?.up).toMatchObject({
      text: 'select 1;\r\n',
      checksum: createHash('sha256').update(bytes).digest('hex'),
    })
  })

  test('what is nearly a migration is told, what is none is left alone', async () => {
    const { migrations, warnings } = await loadMigrations(
      await folderOf({
        '1_a': ['', ''],
        '2_b.sql': '',
        'x_3.up.sql': '',
        '4-c.up.sql': '',
        '5_d.UP.SQL': '',
        'README.md': '',
        '1_a.checks.sql': '',
        'embed.go': '',
      }),
    )
    expect(migrations).toHaveLength(1)
    expect(warnings.map(text => text.split(' ')[0])).toEqual(['2_b.sql', '4-c.up.sql', '5_d.UP.SQL', 'x_3.up.sql'])
  })

  test('two files of one version are named both, also when their digits differ', async () => {
    const error = await failureOf(loadMigrations(await folderOf({ '1_a': ['', ''], '01_b': ['', ''] })))
    expect(error).toMatchObject({
      code: 'VERSION_DUPLICATE',
      message: expect.stringMatching(/01_b\.up\.sql and 1_a\.up\.sql/),
    })
  })

  test('a down without an up, text that is not UTF-8 and a missing folder have their own codes', async () => {
    expect(await failureOf(loadMigrations(await folderOf({ '1_a.down.sql': '' })))).toMatchObject({
      code: 'UP_MISSING',
      hint: expect.stringContaining('1_a.up.sql'),
    })
    const latin = await folderOf({
      '1_a': [' ', ''],
      '2_b.up.sql': Uint8Array.from([0x2d, 0x2d, 0xe9]),
      '2_b.down.sql': '',
    })
    expect(await failureOf(loadMigrations(latin))).toMatchObject({
      code: 'FILE_UNREADABLE',
      at: { file: join(latin, '2_b.up.sql') },
    })
    expect(await failureOf(loadMigrations(join(latin, 'none')))).toMatchObject({
      code: 'FOLDER_NOT_FOUND',
      exitStatus: 2,
    })
    await chmod(latin, 0o755)
  })
})

describe('a new migration', () => {
  const clock = { now: () => Date.UTC(2026, 10, 23, 1, 2, 3) }

  test('takes the minute of the clock, then the next free one', async () => {
    const folder = join(await temporaryFolder(), 'made/on/demand')
    expect(await createMigration({ folder, title: 'Add owner to Orders!', clock })).toMatchObject({
      version: '202611230102',
      slug: 'add_owner_to_orders',
    })
    expect(await createMigration({ folder, title: 'b', clock })).toMatchObject({ version: '202611230103' })
    const { migrations } = await loadMigrations(folder)
    expect(migrations.map(one => one.down?.text.startsWith('-- Takes back:'))).toEqual([true, true])
  })

  test.each([
    [{ '1_a': ['', ''], '9_b': ['', ''] }, '10'],
    [{ '0009_b': ['', ''] }, '0010'],
    [{ '20261123010200_b': ['', ''] }, '20261123010203'],
    [{ '20301231235959_future': ['', ''] }, '20310101000000'],
    [{ '203012312359_future': ['', ''] }, '203101010000'],
  ] as const)('goes on as the folder numbers its own: %o', async (files, version) => {
    expect((await createMigration({ folder: await folderOf(files), title: 'next', clock })).version).toBe(version)
  })

  test('a title becomes a slug, or is refused', async () => {
    expect(slugOf('  createUserÉmail -- index; ')).toBe('create_user_email_index')
    expect(await failureOf(createMigration({ folder: await temporaryFolder(), title: '???' }))).toMatchObject({
      code: 'USAGE',
    })
  })
})
