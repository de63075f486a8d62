import { basename, dirname } from 'node:path'
import type { FileRule, FileView } from '../rule.ts'

export const rule: FileRule = {
  name: 'name-file',
  category: 'naming',
  severity: 'notice',
  shape: 'file',
  needs: 'text',
  title: 'A file is not named after its time and its purpose',
  why: `\`YYYYMMDDHHMM_slug.up.sql\` sorts by time, tells in a listing what it does, and does not clash where two branches add a migration on the same
day: of two numbers in a row both take the next one. Another pattern can be declared under \`lint.naming.file\`.`,
  instead:
    'Begin its name with the time and go on with its purpose, as in `202611011030_audit_log`; `plinth new audit_log` does.',
  examples: {
    bad: [
      { title: 'a number in a row', file: '0001_users.up.sql', up: 'create table users (id bigint primary key);' },
      {
        title: 'a month that no year has',
        file: '202613011030_users.up.sql',
        up: 'create table users (id bigint primary key);',
      },
      {
        title: 'words of another style',
        file: '202611011030_Create-Users.up.sql',
        up: 'create table users (id bigint primary key);',
      },
      {
        title: 'a folder that counts',
        file: '0_init/migration.sql',
        up: 'create table users (id bigint primary key);',
      },
      {
        title: 'another pattern is declared',
        file: '202611011030_users.up.sql',
        settings: { naming: { file: '\\d{14}_[a-z_]+' } },
        up: 'create table users (id bigint primary key);',
      },
    ],
    good: [
      {
        title: 'minute and purpose',
        file: '202611011030_add_users.up.sql',
        up: 'create table users (id bigint primary key);',
      },
      {
        title: 'a folder',
        file: '2026-11-01-103059_add_users/up.sql',
        up: 'create table users (id bigint primary key);',
      },
      {
        title: 'with seconds, as other tools write it',
        file: '20261101103059_add_users.up.sql',
        up: 'create table users (id bigint primary key);',
      },
    ],
  },
  *check(file) {
    const own = basename(file.path)
    // Where a migration is a folder, that one has the name.
    const name = /^(?:up|down|migration)\.sql$/.test(own) ? basename(dirname(file.path)) : own
    // Flyway's own pattern is for its own folders to keep.
    if (file.path === '-' || file.version === null || /^[BVUR][\d._]*__/.test(name)) return
    const stem = name.replace(/(\.(up|down|tx|do|undo))*\.sql(\.(j2|jinja))?$/i, '')
    const wrong = file.settings.naming.file === undefined ? faultOf(stem) : faultBy(stem, file.settings.naming.file)
    if (wrong !== null)
      yield {
        message: `The ${name === own ? 'file' : 'folder'} ${name} ${wrong}.`,
        object: file.path,
        range: firstLine(file),
      }
  },
}

function faultBy(stem: string, pattern: string): string | null {
  return new RegExp(`^(?:${pattern})$`, 'u').test(stem) ? null : `does not match ${pattern}`
}

function faultOf(stem: string): string | null {
  const match = /^(\d+)[_-](.+)$/.exec(stem.replace(/^(\d{4})-(\d\d)-(\d\d)-(?=\d{6}_)/, '$1$2$3'))
  if (!match) return 'is not named YYYYMMDDHHMM_slug'
  const [, version = '', slug = ''] = match
  if (!isTime(version)) return `does not begin with a time: ${version} is no YYYYMMDDHHMM`
  return /^[a-z0-9]+(_[a-z0-9]+)*$/.test(slug)
    ? null
    : 'has a purpose that is not written in small letters with underscores'
}

/** To the minute or to the second. */
function isTime(version: string): boolean {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?$/.exec(version)
  if (!match) return false
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(part => Number(part ?? 0))
  const time = new Date(Date.UTC(year, month - 1, day))
  return (
    time.getUTCMonth() === month - 1 &&
    time.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60 &&
    year >= 1970
  )
}

function firstLine({ script }: FileView): { readonly start: number; readonly end: number } {
  const end = script.text.indexOf('\n')
  return { start: 0, end: end === -1 ? script.text.length : end }
}
