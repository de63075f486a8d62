import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

const internal = { class: 'internal', protection: 'none', retentionDays: null, purge: null } as const

export const rule: SchemaRule = {
  name: 'governance-unclassified',
  category: 'governance',
  severity: 'error',
  shape: 'schema',
  title: 'Nobody said what a column holds',
  why: `Export, erasure, masking, seeds and retention go by the classification. A column that is missing there is a column that none of them reaches, and the
day on which somebody notices is the day on which it leaked. Columns that are generated, or made by a block of code, count as well.`,
  instead: 'Add it to the classification file; `plinth classify suggest` prints a proposal.',
  examples: {
    bad: [
      {
        title: 'a new column',
        classes: { 'public.users': { id: internal } },
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column nickname text;',
      },
      {
        title: 'a copy that is stored',
        classes: { 'public.users': { id: internal } },
        before: 'create table users (id bigint primary key);',
        up: 'create materialized view user_numbers as select id from users;',
      },
    ],
    good: [
      {
        title: 'said in the same change',
        classes: { 'public.users': { id: internal, nickname: { ...internal, class: 'confidential' } } },
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column nickname text;',
      },
      { title: 'nothing is classified at all', up: 'create table users (id bigint primary key);' },
    ],
  },
  *check({ schema, settings, classOf }) {
    if (!settings.classified) return
    const stored = [
      ...schema.tables.filter(table => table.partitionOf === null),
      ...schema.views.filter(view => view.materialized),
    ]
    for (const relation of stored) {
      for (const { name } of relation.columns) {
        if (classOf(qualified(relation), name)) continue
        yield {
          object: `${qualified(relation)}.${name}`,
          message: `The column ${qualified(relation)}.${name} is not classified.`,
        }
      }
    }
  },
}
