/** Which layout a folder has. To add one, write a file like the others and name it here. */
import { PlinthError } from '../../errors.ts'
import { drizzle } from './drizzle.ts'
import { flyway } from './flyway.ts'
import { folders } from './folders.ts'
import { graphileMigrate } from './graphile.ts'
import { type Layout, type Listing, refusePrograms } from './layout.ts'
import { dbmate, evolutions, goose, nodePgMigrate, sqlMigrate } from './marked.ts'
import { pairs } from './pairs.ts'
import { isPlain, plain } from './plain.ts'
import { prisma } from './prisma.ts'
import { sqitch } from './sqitch.ts'

export const layouts: readonly Layout[] = [
  pairs,
  goose,
  sqlMigrate,
  dbmate,
  evolutions,
  nodePgMigrate,
  flyway,
  prisma,
  graphileMigrate,
  drizzle,
  sqitch,
  folders,
]

/** How the files of each layout look, for messages. */
export const knownLooks: readonly string[] = [...layouts, plain].map(({ name, looks }) => `${name} (${looks})`)

/** The only layout that has files here; an empty folder is one of pairs. Throws LAYOUT_AMBIGUOUS, and LAYOUT_UNSUPPORTED for programs alone. */
export async function layoutOf(listing: Listing): Promise<Layout> {
  const claims = await Promise.all(layouts.map(async layout => ({ layout, files: await layout.claims(listing) })))
  const [first, second] = claims.filter(({ files }) => files.length > 0)
  if (second && first) {
    throw new PlinthError(
      'LAYOUT_AMBIGUOUS',
      `${listing.folder} mixes two layouts: ${first.files[0]} is ${first.layout.looks}, ${second.files[0]} is ${second.layout.looks}.`,
      {
        at: { file: `${listing.folder}/${second.files[0]}` },
        hint: 'Keep one layout in a folder: a file that its tool does not see is never applied.',
        details: { layouts: [first.layout.name, second.layout.name] },
      },
    )
  }
  if (first) return first.layout
  // A file without a mark is of every layout that marks its files, so it counts only where there are no others.
  if (isPlain(listing)) return plain
  refusePrograms(listing, new Set())
  return pairs
}
