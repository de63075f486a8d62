/** Finds the dbt project that a command means. */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/**
 * The folder that is named by `--project-dir` or DBT_PROJECT_DIR, else the nearest one upwards that has a `dbt_project.yml`. Null where there is
 * none, and in a folder that is laid out as a project of ours.
 */
export function findDbtProject(
  named: string | undefined,
  cwd: string,
  variables: Readonly<Record<string, string | undefined>>,
): string | null {
  const folder = named ?? variables['DBT_PROJECT_DIR']
  if (folder !== undefined) return resolve(cwd, folder)
  if (existsSync(join(cwd, 'analytics', 'dbt_project.yml')) || existsSync(join(cwd, 'db', 'migrations'))) return null
  for (let folder = cwd; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'dbt_project.yml'))) return folder
    if (dirname(folder) === folder) return null
  }
}
