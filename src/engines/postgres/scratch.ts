/** Databases that live for one purpose: verify, docs, rehearsals and tests. */
import { PlinthError } from '../../errors.ts'
import { withSession } from '../brackets.ts'
import type { Engine, Scratch } from '../engine.ts'
import { escapeIdentifier, escapeLiteral } from './driver.ts'
import { withDatabase } from './url.ts'

/** Made through the database of `url`, with its encoding and collation unless a template is named. */
export async function createScratch(engine: Engine, url: string, name: string, template?: string): Promise<Scratch> {
  if (name === '' || Buffer.byteLength(name) > 63) {
    throw new PlinthError('USAGE', `A database name has 1 to 63 bytes; "${name}" has ${Buffer.byteLength(name)}.`)
  }
  const quoted = escapeIdentifier(name)
  await withSession(engine, url, options, async session => {
    const like = template === undefined ? await likeThisOne(session.query.bind(session)) : ''
    await session.query(`create database ${quoted} template ${escapeIdentifier(template ?? 'template0')}${like}`)
  })
  return {
    url: withDatabase(url, name),
    drop: () =>
      withSession(engine, url, options, async session => {
        await session.query(`drop database if exists ${quoted} with (force)`)
      }),
  }
}

const options = { applicationName: 'plinth scratch' }

/** So that a rehearsal sorts and compares as the real database does. Column names differ between server versions, hence the JSON. */
async function likeThisOne(query: (text: string) => Promise<{ rows: Record<string, unknown>[] }>): Promise<string> {
  const { rows } = await query(`
    select pg_encoding_to_char(d.encoding) as encoding, d.datcollate, d.datctype, to_jsonb(d) ->> 'datlocprovider' as provider,
      coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as locale
    from pg_database d
    where d.datname = current_database()`)
  const { encoding, datcollate, datctype, provider, locale } = rows[0] as Record<string, string | null>
  const text = (value: string | null | undefined): string => escapeLiteral(value ?? '')
  const own =
    provider === 'i'
      ? ` locale_provider icu icu_locale ${text(locale)}`
      : provider === 'b'
        ? ` locale_provider builtin builtin_locale ${text(locale)}`
        : provider === 'c'
          ? ' locale_provider libc'
          : ''
  return ` encoding ${text(encoding)} lc_collate ${text(datcollate)} lc_ctype ${text(datctype)}${own}`
}
