/** Datasets are schemas: made in the region of the URL, with its labels. */
import { PlinthError } from '../../errors.ts'
import type { Client } from './client.ts'

interface DatasetResource {
  readonly location?: string
}

/** Makes it where there is none. Throws DATABASE_UNKNOWN when it lives in another region than the URL says: a job sees one region. */
export async function ensureDataset(client: Client, name: string): Promise<void> {
  const { project, location, labels } = client.address
  const found = await readDataset(client, name)
  if (found) return refuseElsewhere(client, name, found)
  await client.patiently(async () => {
    try {
      await client.once({
        method: 'POST',
        uri: '/datasets',
        json: {
          datasetReference: { projectId: project, datasetId: name },
          ...(location === null ? {} : { location }),
          labels,
        },
      })
    } catch (error) {
      // Another process made it first.
      if ((error as { code?: unknown }).code !== 409) throw error
    }
  })
}

/** Null when there is none. */
export async function readDataset(client: Client, name: string): Promise<DatasetResource | null> {
  try {
    return await client.request<DatasetResource>({ uri: `/datasets/${name}` })
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** Names of all datasets of the project, in order. */
export async function listDatasets(client: Client): Promise<string[]> {
  const names: string[] = []
  let pageToken: string | undefined
  do {
    const page: DatasetPage = await client.request({ uri: '/datasets', qs: { maxResults: 1000, pageToken } })
    for (const { datasetReference } of page.datasets ?? []) names.push(datasetReference.datasetId)
    pageToken = page.nextPageToken
  } while (pageToken)
  return names.sort()
}

/** What was asked for is not there, and everything else about the request was right. */
export function isMissing(error: unknown): boolean {
  return error instanceof PlinthError && (error.details?.['status'] === 404 || error.details?.['reason'] === 'notFound')
}

interface DatasetPage {
  readonly datasets?: readonly { readonly datasetReference: { readonly datasetId: string } }[]
  readonly nextPageToken?: string
}

function refuseElsewhere({ address, name: place }: Client, name: string, { location }: DatasetResource): void {
  if (address.location === null || !location || location.toLowerCase() === address.location.toLowerCase()) return
  throw new PlinthError(
    'DATABASE_UNKNOWN',
    `The dataset ${name} is in ${location}, and the URL of the warehouse says ${address.location}.`,
    {
      at: { object: place },
      hint: `Write ?location=${location}, or move the dataset: a job of BigQuery sees one region alone.`,
    },
  )
}
