/** Which files are different from a commit, as git sees them. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PlinthError } from '../errors.ts'

const run = promisify(execFile)

/**
 * Absolute paths of files that were added or changed since the branch of `folder` left `ref`: committed, staged, in the work tree, or not
 * known to git yet. Throws USAGE when there is no git, no repository or no such commit.
 */
export async function filesSince(folder: string, ref: string): Promise<ReadonlySet<string>> {
  const git = async (...args: string[]) => {
    const { stdout } = await run('git', args, { cwd: folder, maxBuffer: 1 << 28 })
    return stdout
  }
  const refuse = (message: string, hint: string) => (cause: unknown) => {
    throw new PlinthError('USAGE', message, { hint, cause })
  }
  const root = (
    await git('rev-parse', '--show-toplevel').catch(
      refuse('--since compares with a commit, and this folder is in no git repository.', 'Name the files instead.'),
    )
  ).replace(/\r?\n$/, '')
  const commit = await git('rev-parse', '--verify', '--quiet', `${ref}^{commit}`).catch(
    refuse(
      `git knows no commit "${ref}".`,
      'Name a branch, a tag or a commit; a shallow clone may have to fetch it first.',
    ),
  )
  // What others did on that branch meanwhile is not ours; without a common commit, everything that differs is.
  const base = (await git('merge-base', commit.trim(), 'HEAD').catch(() => commit)).trim()
  const [changed, unknown] = await Promise.all([
    git('diff', '--name-only', '--no-renames', '--diff-filter=d', '-z', base),
    git('ls-files', '--others', '--exclude-standard', '--full-name', '-z', ':/'),
  ])
  return new Set(`${changed}${unknown}`.split('\0').flatMap(path => (path === '' ? [] : [join(root, path)])))
}
