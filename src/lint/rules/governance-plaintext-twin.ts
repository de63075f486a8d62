import { type Column, qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { isText, soundsPersonal } from '../subjects/names.ts'

export const rule: SchemaRule = {
  name: 'governance-plaintext-twin',
  category: 'governance',
  severity: 'error',
  shape: 'schema',
  title: 'The plain value stands beside the protected one',
  why: `A column \`email\` beside \`email_ciphertext\` or \`email_hash\` undoes the protection: whoever reads the row reads the value. Mostly it is left from before
the change to the protected one. This rule goes by names, so it also speaks where nothing is classified.`,
  instead: 'Drop the plain column in the migration that ends the change; until then allow it, with a date.',
  examples: {
    bad: [
      {
        title: 'beside its ciphertext',
        up: 'create table users (id bigint primary key, phone text, phone_ciphertext bytea);',
      },
      {
        title: 'the hash comes later, and the plain one stays',
        before: 'create table users (id bigint primary key, email text);',
        up: 'alter table users add column email_hash bytea;',
      },
      {
        title: 'the other way round',
        up: 'create table users (id bigint primary key, diagnosis text, encrypted_diagnosis text);',
      },
    ],
    good: [
      {
        title: 'both are protected',
        up: 'create table users (id bigint primary key, email_ciphertext bytea, email_hash bytea);',
      },
      {
        title: 'the hash of a content is no protection',
        up: 'create table pages (id bigint primary key, body text, body_hash bytea, url text, url_hash bytea);',
      },
      {
        title: 'the plain one goes',
        before: 'create table users (id bigint primary key, email text, email_hash bytea);',
        up: 'alter table users drop column email;',
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      for (const column of table.columns) {
        const declared = classOf(qualified(table), column.name)
        const guarded = declared !== undefined && (declared.protection !== 'none' || declared.class === 'public')
        const twin = isText(column.type) && !guarded ? twinOf(table, column, declared?.class ?? null) : undefined
        if (!twin) continue
        yield {
          object: `${qualified(table)}.${column.name}`,
          message: `${qualified(table)} holds ${column.name} as it is, beside ${twin.name}.`,
          hint: `Run, once nothing reads it: alter table ${qualified(table)} drop column ${column.name};`,
        }
      }
    }
  },
}

/** A hash is a protection only of what is worth one. */
function twinOf(table: Table, column: Column, declared: string | null): Column | undefined {
  const worth = soundsPersonal(column) || declared === 'restricted' || declared === 'confidential'
  const sealed = /^(ciphertext|encrypted|enc|sealed|cipher)$/
  const hashed = /^(hash|digest|hmac|bidx|blind_index)$/
  return table.columns.find(other => {
    const suffix = other.name.startsWith(`${column.name}_`) ? other.name.slice(column.name.length + 1) : ''
    const prefix = other.name.endsWith(`_${column.name}`) ? other.name.slice(0, -column.name.length - 1) : ''
    return (
      sealed.test(suffix) || sealed.test(prefix) || (worth && (hashed.test(suffix) || /^(hashed|hash)$/.test(prefix)))
    )
  })
}
