import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns, objectName } from '../subjects/columns.ts'
import { soundsSecret } from '../subjects/names.ts'

export const rule: StatementRule = {
  name: 'security-plaintext-secret',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A column seems to hold a secret as it is',
  why: `A token, key or number that opens something opens it for everybody who reads the table, a replica or a backup. What is only compared need not
be there at all: a hash does.`,
  instead: `Store a keyed hash of what is only compared (\`token_hash\`), and an encrypted envelope of what must be read again (\`secret_ciphertext\`).`,
  examples: {
    bad: [
      { title: 'a key of the API', up: 'create table clients (id bigint primary key, api_key text not null);' },
      {
        title: 'tokens of a session',
        up: 'create table sessions (id bigint primary key, access_token text, "refreshToken" text);',
      },
      { title: 'a number of the state', up: 'create table people (id bigint primary key, ssn varchar(11));' },
    ],
    good: [
      {
        title: 'hashed and sealed',
        up: 'create table clients (id bigint primary key, api_key_hash bytea, client_secret_ciphertext bytea, api_key_prefix text);',
      },
      {
        title: 'about tokens',
        up: 'create table usage (id bigint primary key, input_tokens bigint, token_type text, secret_name text, public_key text, primary_key text);',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (soundsSecret(column) !== 'secret' || /\b(hash|encrypt|sealed|cipher)/i.test(column.comment ?? '')) continue
      const declared = view.file.classOf(objectName(column.table), column.name)
      if (declared && (declared.protection !== 'none' || declared.class === 'public')) continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} seems to hold a secret as it is.`,
        `Store ${column.name}_hash where it is only compared, else ${column.name}_ciphertext.`,
      )
    }
  },
}
