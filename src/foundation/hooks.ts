/** Hooks of the configuration, with the variables that their commands may see. */
import type { Config } from '../config/load.ts'
import { createHooks, type Hooks } from '../migrations/hooks/hooks.ts'
import type { Emit } from '../telemetry/event.ts'

/** Undefined when the configuration has none. What they tell goes to `emit`. */
export function hooksOf(config: Config, emit: Emit): Hooks | undefined {
  if (config.hooks.length === 0) return undefined
  const { variables, withheld } = divideVariables(config)
  return createHooks({ settings: config.hooks, folder: config.root, variables, withheld, emit })
}

/** Keys of Plinth, what the URLs of databases are made of, and what looks like a URL with a password are not for hooks. */
export function divideVariables(config: Pick<Config, 'variables' | 'tracks' | 'everyTrack' | 'fleet'>): {
  readonly variables: Readonly<Record<string, string>>
  readonly withheld: Readonly<Record<string, string>>
} {
  const inUrls = new Set(urlsOf(config).flatMap(url => [...url.matchAll(/\$\{(\w+)/g)].map(match => match[1] ?? '')))
  const variables: Record<string, string> = {}
  const withheld: Record<string, string> = {}
  for (const [name, value] of Object.entries(config.variables)) {
    if (value === undefined) continue
    const isSecret =
      secretNames.test(name) || inUrls.has(name) || /:\/\/[^/?#\s]*:[^/?#\s]*@|[?&]password=/i.test(value)
    if (isSecret) withheld[name] = value
    else variables[name] = value
  }
  return { variables, withheld }
}

const secretNames = /^(PLINTH_.*KEY|PGPASSWORD|PGPASSFILE|PGSERVICEFILE|DATABASE_URL|WAREHOUSE_URL)$/

function urlsOf({ tracks, everyTrack, fleet }: Pick<Config, 'tracks' | 'everyTrack' | 'fleet'>): string[] {
  const ofTracks = [...tracks, ...everyTrack].flatMap(track => track.database ?? [])
  const ofFleet = (fleet?.databases ?? []).flatMap(({ url, database }) => [url ?? '', database ?? ''])
  return [...ofTracks, ...ofFleet, fleet?.query?.database ?? '']
}
