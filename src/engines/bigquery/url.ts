/**
 * `bigquery://project[/dataset][?location=EU&…]`: a project is the database, its datasets are the schemas, and the dataset of the URL is where
 * names without one live.
 */
import { PlinthError } from '../../errors.ts'

export interface BigQueryAddress {
  readonly project: string
  readonly dataset: string | null
  /** Where datasets are made and jobs run, such as `EU` or `europe-west3`; null lets BigQuery decide. */
  readonly location: string | null
  /** A job that would bill more is refused before it runs. */
  readonly maximumBytesBilled: string | null
  /** Put on every job and on every dataset that is made, so that a bill can be told apart. */
  readonly labels: Readonly<Record<string, string>>
  /** Another address of the API, such as a private endpoint or an emulator. */
  readonly endpoint: string | null
  /** A service account's key file; without it, the ambient credentials. */
  readonly keyFile: string | null
  /** An empty project beside this one, where `verify` may make and drop datasets. */
  readonly scratchProject: string | null
}

/** Throws DATABASE_URL_INVALID. */
export function parseAddress(url: string): BigQueryAddress {
  const parts = /^bigquery:(?:\/\/)?([^/?#]+)(?:\/([^/?#]*))?\/?(?:\?([^#]*))?$/i.exec(url)
  if (!parts) throw invalid('The BigQuery URL names no project.')
  const project = decodeURIComponent(parts[1] ?? '')
  const dataset = decodeURIComponent(parts[2] ?? '') || null
  if (!/^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{0,61}$/i.test(project))
    throw invalid(`"${project}" cannot be a Google Cloud project.`)
  if (dataset !== null && !/^\w{1,1024}$/.test(dataset)) throw invalid(`"${dataset}" cannot be a BigQuery dataset.`)
  const settings = new URLSearchParams(parts[3] ?? '')
  for (const name of settings.keys())
    if (!known.has(name))
      throw invalid(`A BigQuery URL has no setting "${name}".`, `Settings: ${[...known].sort().join(', ')}.`)
  const text = (name: string): string | null => settings.get(name) || null
  const cap = text('maximumBytesBilled')
  return {
    project,
    dataset,
    location: text('location'),
    maximumBytesBilled: cap === null ? null : bytesOf(cap),
    labels: labelsOf(text('labels') ?? ''),
    endpoint: text('endpoint') ?? (process.env['BIGQUERY_EMULATOR_HOST'] || null),
    keyFile: text('keyFile'),
    scratchProject: text('scratchProject'),
  }
}

/** The same database with another project and no default dataset. */
export function inProject(url: string, project: string): string {
  const settings = /\?[^#]*$/.exec(url)?.[0] ?? ''
  return `bigquery://${project}${settings}`
}

/** Safe to print: settings, which may name files, are left out. */
export function describeAddress({ project, dataset }: BigQueryAddress): string {
  return dataset === null ? project : `${project}/${dataset}`
}

const known: ReadonlySet<string> = new Set([
  'location',
  'maximumBytesBilled',
  'labels',
  'endpoint',
  'keyFile',
  'scratchProject',
])

/** `10737418240`, `10GB` or `10GiB`. */
function bytesOf(text: string): string {
  const parts = /^(\d+)\s*([kmgtp]?)(i?)b?$/i.exec(text)
  if (!parts) throw invalid(`"${text}" is no number of bytes.`, 'Write maximumBytesBilled=10GiB.')
  const power = BigInt('kmgtp'.indexOf((parts[2] ?? '').toLowerCase()) + 1)
  return String(BigInt(parts[1] ?? '0') * (parts[3] || !parts[2] ? 1024n : 1000n) ** (parts[2] ? power : 0n))
}

/** `team:data,stage:production`. */
function labelsOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter(pair => pair.trim() !== '')
  return Object.fromEntries(
    pairs.map(pair => {
      const label = /^\s*([\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62})\s*[:=]\s*([\p{Ll}\p{Lo}\p{N}_-]{0,63})\s*$/u.exec(
        pair,
      )
      if (!label)
        throw invalid(`"${pair.trim()}" is no label.`, 'Write labels=team:data,stage:production, in lower case.')
      return [label[1], label[2]]
    }),
  )
}

function invalid(message: string, hint?: string): PlinthError {
  return new PlinthError('DATABASE_URL_INVALID', message, {
    hint: hint ?? 'Write bigquery://project/dataset?location=EU.',
  })
}
