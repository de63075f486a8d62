import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns, objectName } from '../subjects/columns.ts'
import { soundsSecret } from '../subjects/names.ts'

export const rule: StatementRule = {
  name: 'security-plaintext-password',
  category: 'security',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A column seems to hold passwords as they are',
  why: `Whoever reads the table, a backup or a log of statements can sign in as everybody, here and wherever people use the same password. Where the
column does hold a hash, its name tells the next developer otherwise.`,
  instead: `Store a slow, salted hash (argon2id, scrypt, bcrypt) made by the application, and call the column \`password_hash\`. Where the name must
stay, declare the column as hashed in the classification.`,
  examples: {
    bad: [
      { title: 'a text', up: 'create table users (id bigint primary key, email text, password text not null);' },
      {
        title: 'by another name',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column "userPassword" varchar(100);',
      },
      {
        title: 'in a block of code',
        before: 'create table users (id bigint primary key);',
        up: "do $$ begin execute 'alter table users add column passwd text'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'a hash',
        up: 'create table users (id bigint primary key, password_hash text not null, encrypted_password text, password_digest text);',
      },
      {
        title: 'about passwords',
        up: 'create table users (id bigint primary key, password_changed_at timestamptz, password_policy text, has_password boolean not null);',
      },
      {
        title: 'declared as hashed',
        classes: {
          'public.users': {
            id: { class: 'internal', protection: 'none', retentionDays: null, purge: null },
            password: { class: 'restricted', protection: 'hashed', retentionDays: null, purge: null },
          },
        },
        up: 'create table users (id bigint primary key, password text not null);',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (
        soundsSecret(column) !== 'password' ||
        /\b(hash|hashed|bcrypt|argon2?|scrypt|digest)/i.test(column.comment ?? '')
      )
        continue
      const declared = view.file.classOf(objectName(column.table), column.name)
      if (declared && declared.protection !== 'none') continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} seems to hold passwords as they are.`,
        'Store a salted hash, and call the column password_hash.',
      )
    }
  },
}
