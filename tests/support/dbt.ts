/** dbt-core with dbt-duckdb, which nobody here wrote, for tests that run one project under both. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.env['PLINTH_DBT'] ?? join(import.meta.dirname, '../../.plinth/peers/dbt')

/** Null when it is installed, else why what needs it is skipped. */
export const withoutDbt: string | null = existsSync(join(folder, 'installed'))
  ? null
  : 'dbt is not installed (scripts/peers/dbt.sh)'
// Where the machine can install it, as continuous integration does, a missing one is a defect and no reason to skip.
if (withoutDbt && process.env['PLINTH_PEERS'] === 'required' && process.env['PLINTH_DBT'] !== 'none')
  throw new Error(withoutDbt)

const quiet = { ...process.env, DBT_SEND_ANONYMOUS_USAGE_STATS: 'false', DBT_NO_VERSION_CHECK: '1' }

export interface DbtRun {
  readonly status: number
  readonly output: string
}

/** Runs a command of dbt on a project that has its own profiles, and answers its exit status and what it said. */
export function dbt(project: string, args: readonly string[], variables: Record<string, string>): Promise<DbtRun> {
  const command = [...args, '--project-dir', project, '--profiles-dir', project, '--no-use-colors']
  const env = { ...quiet, ...variables }
  return new Promise(resolve => {
    execFile(join(folder, 'bin/dbt'), command, { cwd: project, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const status = typeof error?.code === 'number' ? error.code : error ? 1 : 0
      resolve({ status, output: `${stdout}${stderr}` })
    })
  })
}

/** What dbt lists for each of these selections, as `kind.name`; nothing for one that it refuses. */
export async function dbtList(project: string, selections: readonly (readonly string[])[]): Promise<string[][]> {
  const script = join(import.meta.dirname, 'dbt-list.py')
  const answered = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      join(folder, 'bin/python'),
      [script, project],
      { cwd: project, env: quiet, maxBuffer: 64 << 20 },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    )
    child.stdin?.end(JSON.stringify(selections))
  })
  const listed = JSON.parse(answered) as (readonly Listed[] | null)[]
  return listed.map(nodes => (nodes ?? []).map(nameOf).sort())
}

interface Listed {
  readonly resource_type: string
  readonly name: string
  readonly source_name?: string
  readonly version?: string | number | null
}

function nameOf({ resource_type: kind, name, source_name: group, version }: Listed): string {
  return `${kind}.${group === undefined ? '' : `${group}.`}${name}${version == null ? '' : `_v${version}`}`
}
