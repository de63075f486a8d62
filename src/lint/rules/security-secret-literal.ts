import type { FileRule } from '../rule.ts'
import { secretsIn } from '../subjects/secrets.ts'

// Put together, so that nobody takes the example for a leak.
const awsKey = ['AKIA', 'Q7XNMBPLR4TVWZ2K'].join('')
const url = ['postgres://reports', 's3cr3t-word@db.internal/reports'].join(':')

export const rule: FileRule = {
  name: 'security-secret-literal',
  category: 'security',
  severity: 'error',
  shape: 'file',
  needs: 'text',
  hidden: true,
  directions: ['up', 'down'],
  title: 'A key or token stands in a migration or a seed',
  why: `What looks like a key of a well-known service mostly is one. It stays in the history of the repository even when the next commit removes it,
and in every database that ran the migration.`,
  instead: 'Revoke the key, and give it to the program that needs it from where secrets are kept.',
  examples: {
    bad: [
      {
        title: 'a row with settings',
        before: 'create table settings (name text primary key, value text);',
        up: `insert into settings values ('aws', '${awsKey}');`,
      },
      { title: 'in a comment', up: `-- was: ${url}\ncreate table settings (name text primary key, value text);` },
    ],
    good: [
      {
        title: 'where to find it',
        before: 'create table settings (name text primary key, value text);',
        up: "insert into settings values ('aws', 'vault:platform/aws');",
      },
      {
        title: 'a URL without a password',
        before: 'create table settings (name text primary key, value text);',
        up: "insert into settings values ('url', 'postgres://reports@db.internal/reports');",
      },
    ],
  },
  *check({ script }) {
    for (const { what, start, end } of secretsIn(script.text)) {
      yield {
        message: `The file holds what looks like ${what}.`,
        hint: 'Revoke it: whoever read the repository knows it.',
        range: { start, end },
      }
    }
  },
}
