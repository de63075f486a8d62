/** BigQuery: the managed, distributed warehouse. A project is the database, its datasets are the schemas. */
import { PlinthError } from '../../errors.ts'
import type { Engine, OpenOptions, Scratch, Session } from '../engine.ts'
import { openClient } from './client.ts'
import { listDatasets } from './dataset.ts'
import { openSession } from './session.ts'
import { describeAddress, inProject, parseAddress } from './url.ts'
import { warehouse } from './write.ts'

export const bigquery: Engine = {
  name: 'bigquery',
  schemes: ['bigquery'],
  can: {
    transactionalDdl: false,
    concurrentProcesses: true,
    leases: false,
    timeouts: false,
    rowSecurity: false,
    postgresSyntax: false,
    googleSyntax: true,
    capture: false,
    warehouse: true,
    statefulSessions: false,
  },
  warehouse,
  open: (url: string, options: OpenOptions = {}): Promise<Session> => openSession(bigquery, url, options),
  describe: (url: string): string => describeAddress(parseAddress(url)),
  createScratch,
}

/**
 * Nothing below a project separates the datasets of one database from those of another, so an empty database is the scratch project that the
 * URL names. One that holds anything is refused: it may be somebody's.
 */
async function createScratch(
  url: string,
  _name: string,
  options: { readonly template?: string } = {},
): Promise<Scratch> {
  const { scratchProject, project } = parseAddress(url)
  if (scratchProject === null || scratchProject === project || options.template !== undefined) {
    throw new PlinthError('ENGINE_UNSUPPORTED', 'A scratch database on BigQuery is a project of its own.', {
      at: { object: project },
      hint: 'Name an empty project in the URL: scratchProject=my-scratch. Datasets are made and dropped in it.',
    })
  }
  const scratchUrl = inProject(url, scratchProject).replace('?', '/scratch?')
  const client = await openClient(parseAddress(scratchUrl))
  const found = await listDatasets(client)
  if (found.length > 0) {
    throw new PlinthError(
      'ENGINE_UNSUPPORTED',
      `The scratch project ${scratchProject} is not empty: it has ${found.join(', ')}.`,
      {
        at: { object: scratchProject },
        hint: 'Another run may be using it. Drop the datasets if they are nobody’s, or name another project.',
      },
    )
  }
  return {
    url: scratchUrl,
    async drop() {
      for (const name of await listDatasets(client))
        await client.request({ method: 'DELETE', uri: `/datasets/${name}`, qs: { deleteContents: true } })
    },
  }
}
