/** Where unqualified names of a connection live, which role, database or URL may say. */
import type { Session } from '../engine.ts'
import { escapeIdentifier } from './driver.ts'
import { withParameter } from './url.ts'

export interface SearchPath {
  /** As PostgreSQL takes it, with the user's name in the place of `$user`. */
  readonly setting: string
  /** Those of its schemas that are there, first things first. */
  readonly schemas: readonly string[]
  /** Read through a pooler, which may not let anybody enter with a path. */
  readonly pooled: boolean
}

/** Null for what a server has unless somebody says otherwise. */
export async function readSearchPath(session: Session): Promise<SearchPath | null> {
  const { rows } = await session.query<{ setting: string; user: string; schemas: string[] }>(
    `select current_setting('search_path') as setting, current_user::text as "user", current_schemas(false)::text[] as schemas`,
  )
  const [row] = rows
  if (!row || (/^"?\$user"?\s*,\s*public$/.test(row.setting) && row.schemas.every(one => one === 'public'))) return null
  const setting = row.setting.replaceAll(/"\$user"|\$user/g, () => escapeIdentifier(row.user))
  return { setting: setting === '' ? '""' : setting, schemas: row.schemas, pooled: session.pooled }
}

/** The same database, entered with that path. */
export function withSearchPath(url: string, { setting }: SearchPath): string {
  return withParameter(url, 'search_path', setting)
}
