/**
 * Expand, migrate, contract: three migrations for a change that old and new code outlive together. What each says is drafted purely from the
 * catalog that the migrations make; here it becomes files.
 */
import type { Schema } from '../../schema/model.ts'
import { type Created, createMigration, type CreateOptions } from '../create.ts'
import { draftColumns } from './columns.ts'
import type { Drafts } from './draft.ts'
import { draftNotNull } from './not-null.ts'
import { type ExpandRequest, resolveSubject } from './request.ts'

export interface Expanded {
  readonly created: readonly Created[]
  readonly notices: readonly string[]
}

/** Pure. Throws USAGE. */
export function draftExpansion(schema: Schema, request: ExpandRequest): Drafts {
  const subject = resolveSubject(schema, request)
  return subject.expansion === 'set-not-null' ? draftNotNull(subject, request) : draftColumns(schema, subject, request)
}

/** Writes the files into the folder, numbered one after the other. */
export async function writeExpansion(
  drafts: Drafts,
  { folder, clock, placeholders }: Pick<CreateOptions, 'folder' | 'clock' | 'placeholders'>,
): Promise<Expanded> {
  const created: Created[] = []
  for (const draft of drafts.steps) {
    const { title, checks } = draft
    const up = textOf(drafts.what, draft.upWhy, draft.upHead, draft.up)
    const down = textOf(`Takes back: ${drafts.what}`, draft.downWhy, draft.downHead, draft.down)
    created.push(await createMigration({ folder, title, clock, placeholders, content: { up, down, checks } }))
  }
  return { created, notices: drafts.notices }
}

function textOf(what: string, why: string, head: readonly string[], statements: readonly string[]): string {
  return [
    `-- ${what}`,
    `-- ${why}`,
    ...head.map(wishes => `-- plinth: ${wishes}`),
    '',
    ...statements.flatMap(statement => [`${statement};`, '']),
  ].join('\n')
}
