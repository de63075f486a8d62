/** How a new migration is written in the layout that its folder has. */
import { PlinthError } from '../../errors.ts'
import { flywayName, type FlywaySettings } from './flyway-settings.ts'
import type { LayoutName } from './layout.ts'

export interface Draft {
  readonly version: string
  readonly slug: string
  readonly up: string
  readonly down: string
  /** Of a folder of Flyway. */
  readonly flyway: FlywaySettings
}

/** Files by their path in the folder, up first; one file where both directions share it. Throws LAYOUT_UNSUPPORTED. */
export function draftFiles(
  layout: LayoutName,
  draft: Draft,
): readonly { readonly path: string; readonly text: string }[] {
  const { version, slug, up, down } = draft
  const spelled = version.replace(/^(\d{8})\.(\d{4}|\d{6})$/, '$1_$2')
  const together = (first: string, second: string) => [
    { path: `${version}_${slug}.sql`, text: `${first}\n${up.trimEnd()}\n\n${second}\n${down.trimEnd()}\n` },
  ]
  switch (layout) {
    case 'pairs':
      return [
        { path: `${version}_${slug}.up.sql`, text: up },
        { path: `${version}_${slug}.down.sql`, text: down },
      ]
    case 'goose':
      return together('-- +goose Up', '-- +goose Down')
    case 'sql-migrate':
      return together('-- +migrate Up', '-- +migrate Down')
    case 'dbmate':
      return together('-- migrate:up', '-- migrate:down')
    case 'node-pg-migrate':
      return together('-- Up Migration', '-- Down Migration')
    case 'evolutions':
      return [{ path: `${version}.sql`, text: `-- !Ups\n${up.trimEnd()}\n\n-- !Downs\n${down.trimEnd()}\n` }]
    case 'flyway':
      return [
        { path: flywayName(draft.flyway, 'V', draft), text: up },
        { path: flywayName(draft.flyway, 'U', draft), text: down },
      ]
    case 'prisma':
      return [
        { path: `${version}_${slug}/migration.sql`, text: up },
        { path: `${version}_${slug}/down.sql`, text: down },
      ]
    case 'plain':
      return [
        { path: `${spelled}_${slug}.sql`, text: up },
        { path: `${spelled}_${slug}.down.sql`, text: down },
      ]
    case 'folders':
      return [
        { path: `${version}_${slug}/up.sql`, text: up },
        { path: `${version}_${slug}/down.sql`, text: down },
      ]
    case 'drizzle':
      throw new PlinthError('LAYOUT_UNSUPPORTED', 'Drizzle runs only what its journal names.', {
        hint: 'Write it with drizzle-kit generate --custom, which adds it to the journal; or remove the folder meta, where Drizzle is not used any more.',
      })
    case 'sqitch':
      throw new PlinthError('LAYOUT_UNSUPPORTED', 'Sqitch runs only what its plan names.', {
        hint: `Write it with sqitch add ${slug}.`,
      })
    case 'graphile-migrate':
    default:
      throw new PlinthError(
        'LAYOUT_UNSUPPORTED',
        'A committed file of graphile-migrate carries a hash of what is in it.',
        {
          hint: 'Write it to current.sql and commit it there; or rename the committed files to <number>_<name>.up.sql.',
        },
      )
  }
}
