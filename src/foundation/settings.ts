/** The configuration for people: dotted paths, values, origins; passwords in URLs are masked. */
import type { HookAction } from '../config/hooks.ts'
import type { Config, Origin } from '../config/load.ts'

export interface Setting {
  readonly path: string
  readonly value: string
  readonly origin: Origin
}

export function listSettings(config: Config): Setting[] {
  const { environment, migrations, tracks, origins } = config
  const rows: (readonly [string, unknown])[] = [
    ['project', config.project],
    ['environment', environment.name],
    ['environment.seedable', environment.seedable],
    ['environment.protected', environment.protected],
    ['state', config.state],
    ...tracks.flatMap(track => [
      [`tracks.${track.name}.engine`, track.engine] as const,
      [`tracks.${track.name}.migrations`, track.migrations] as const,
      ...(track.prelude?.length ? [[`tracks.${track.name}.prelude`, track.prelude.join(', ')] as const] : []),
      // Names alone: a value may be a secret.
      ...(Object.keys(track.placeholders ?? {}).length > 0
        ? [[`tracks.${track.name}.placeholders`, Object.keys(track.placeholders ?? {}).join(', ')] as const]
        : []),
      [`tracks.${track.name}.database`, track.database ?? 'embedded'] as const,
    ]),
    ...Object.entries(migrations).map(([key, value]) => [`migrations.${key}`, value] as const),
    ...Object.entries(config.preserve).map(([key, value]) => [`preserve.${key}`, value] as const),
    ...(config.fleet?.databases ?? []).map(
      one => [`fleet.databases.${one.name}`, one.url ?? one.environment ?? one.database ?? one.schema ?? ''] as const,
    ),
    ...(config.fleet?.query ? [['fleet.query', config.fleet.query.sql] as const] : []),
    ...listLint(config),
    ...Object.entries(config.rollups).map(([key, value]) => [`rollups.${key}`, value] as const),
    ['rehearseOn', config.rehearseOn ?? 'embedded'] as const,
    ...config.hooks.map(({ place, action }) => [place, describeAction(action)] as const),
    ...(['seeds', 'analytics', 'classification', 'docs'] as const).map(key => [key, config[key]] as const),
  ]
  return rows.map(([path, value]) => ({
    path,
    value: maskPassword(String(value)),
    origin: origins.get(path) ?? (/^(fleet|hooks)\./.test(path) ? 'file' : 'flag'),
  }))
}

/** What is said, and how strict it is; a rule that nobody speaks of has no row. */
function listLint({ lint }: Config): (readonly [string, unknown])[] {
  const { rehearsal, apply, warningsMax, smallTableRows, resident, rules, settings, ignore } = lint
  const own = { rehearsal, apply, warningsMax: warningsMax ?? 'any', smallTableRows, resident }
  return [
    ...Object.entries(own).map(([key, value]) => [`lint.${key}`, value] as const),
    ...(ignore.length > 0 ? [['lint.ignore', ignore.join(', ')] as const] : []),
    ...Object.entries(rules).map(([rule, severity]) => [`lint.rules.${rule}`, severity] as const),
    ...Object.entries(settings).flatMap(([key, value]) => {
      const text = typeof value === 'object' && value !== null ? spellList(value) : String(value)
      return text === '' ? [] : [[`lint.${key}`, text] as const]
    }),
  ]
}

function spellList(value: object): string {
  return Array.isArray(value) ? value.join(', ') : Object.keys(value).join(', ')
}

function describeAction(action: HookAction): string {
  if (action.kind === 'module') return action.file
  return typeof action.command === 'string' ? action.command : action.command.join(' ')
}

function maskPassword(text: string): string {
  return text.replace(/^([a-z]+:\/\/[^:@/]*):[^@]*@/i, '$1:***@').replace(/(password=)[^&]*/i, '$1***')
}
