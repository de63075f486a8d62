/** Operators of chance: the value of a row follows from its number alone. */
import { accepts, columnOf, duration, mapOf, number, numbers, plain, positive, weightsOf } from './operand.ts'
import { keyText, scalarText, type SeedRow } from './datum.ts'
import { type Choice, logNormal, weighted, zipfWeights } from './distribution.ts'
import { instantText } from './duration.ts'
import type { Evaluate, Operator, Options, Scope } from './scope.ts'
import { timeSampler } from './season.ts'

export const generators: Readonly<Record<string, Operator>> = {
  /** `{ pick: organizations, zipf: 1.1, where: {status: active} }`: a row of an earlier table. */
  pick: { options: ['where', 'match', 'zipf', 'weigh'], read: readPick },

  /** `{ choice: {success: 94, error: 6} }`: one of the texts, by weight. */
  choice: {
    options: [],
    read(operand, _options, scope) {
      const entries = weightsOf(operand, scope, ['choice'])
      const choice = weighted(entries.map(([, weight]) => weight))
      return row => entries[choice.pick(scope.stream.uniform(row.number))]?.[0] ?? null
    },
  },

  /** `{ integer: [1, 6] }`: a whole number, both ends included. */
  integer: {
    options: [],
    read(operand, _options, scope) {
      const [low, high] = Array.isArray(operand) ? operand : []
      if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low > high) {
        throw scope.invalid('"integer" takes two whole numbers, the lower one first.', undefined, ['integer'])
      }
      return row => low + Math.floor(scope.stream.uniform(row.number) * (high - low + 1))
    },
  },

  /** `{ lognormal: 420, sigma: 0.8, min: 20, max: 60000 }`: a whole number around that median. */
  lognormal: {
    options: ['sigma', 'min', 'max'],
    read(operand, options, scope) {
      const median = positive(operand, 'lognormal', scope)
      const sigma = positive(options['sigma'], 'sigma', scope)
      const min = options['min'] === undefined ? 0 : number(options['min'], 'min', scope)
      const max = options['max'] === undefined ? Number.MAX_SAFE_INTEGER : number(options['max'], 'max', scope)
      return row => Math.min(max, Math.max(min, Math.round(logNormal(scope.stream.words(row.number), median, sigma))))
    },
  },

  /** `{ time: window, hours: [24 weights], weekdays: [7 weights from Monday], growth: 1.05 }`: a moment of the package's window. */
  time: {
    options: ['hours', 'weekdays', 'growth'],
    read(operand, options, scope) {
      if (operand !== 'window') throw scope.invalid('"time" takes the word window.', undefined, ['time'])
      const sample = timeSampler({
        fromMs: scope.fromMs,
        toMs: scope.anchorMs,
        hours: numbers(options['hours'], 24, 'hours', scope),
        weekdays: numbers(options['weekdays'], 7, 'weekdays', scope),
        weeklyGrowth: options['growth'] === undefined ? 1 : positive(options['growth'], 'growth', scope),
      })
      return row => instantText(sample(scope.stream.uniform(row.number)))
    },
  },

  /** `{ after: $occurred_at, median: 2s, sigma: 1, late: {share: 0.02, from: 1h, to: 4d} }`: a moment a little later, for some much later. */
  after: {
    options: ['median', 'sigma', 'late'],
    read(operand, options, scope) {
      const start = plain(operand, scope, ['after'])
      const medianMs = duration(options['median'], 'median', scope)
      const sigma = positive(options['sigma'], 'sigma', scope)
      const late = (options['late'] ?? { share: 0, from: '1h', to: '1h' }) as Options
      const share = number(late['share'], 'share', scope)
      const fromMs = duration(late['from'], 'from', scope)
      const toMs = duration(late['to'], 'to', scope)
      return row => {
        const startMs = Date.parse(scalarText(start(row)))
        const { stream } = scope
        // Squared, so that a delay of hours is more common than one of days.
        if (stream.uniform(row.number, 1) < share)
          return instantText(startMs + fromMs + stream.uniform(row.number, 2) ** 2 * (toMs - fromMs))
        return instantText(startMs + logNormal(stream.words(row.number), medianMs, sigma))
      }
    },
  },
}

function readPick(operand: unknown, options: Options, scope: Scope): Evaluate {
  const fixed = Object.entries(mapOf(options['where'] ?? {}, scope, ['where']))
  const matched = Object.entries(mapOf(options['match'] ?? {}, scope, ['match'])).map(([column, value]) => ({
    column,
    alternatives: (Array.isArray(value) ? value : [value]).map(one => plain(one, scope, ['match', column])),
  }))
  const all = scope
    .rowsOf(String(operand))
    .filter(row => fixed.every(([column, wanted]) => accepts(columnOf(row, column, scope, ['where', column]), wanted)))
  const weigh = Object.entries(mapOf(options['weigh'] ?? {}, scope, ['weigh'])).map(
    ([column, weights]) => [column, new Map(weightsOf(weights, scope, ['weigh', column]))] as const,
  )
  const ranks = options['zipf'] === undefined ? null : zipfWeights(all.length, positive(options['zipf'], 'zipf', scope))
  const weightOf = (row: SeedRow, rank: number): number =>
    weigh.reduce(
      (weight, [column, weights]) =>
        weight * (weights.get(scalarText(columnOf(row, column, scope, ['weigh', column]))) ?? 1),
      ranks?.[rank] ?? 1,
    )
  const groups = new Map<string, { readonly rows: readonly SeedRow[]; readonly choice: Choice }>()
  return row => {
    const wanted = matched.map(({ alternatives }) => alternatives.map(alternative => keyText(alternative(row))))
    const key = JSON.stringify(wanted)
    let group = groups.get(key)
    if (!group) {
      const rows = all.filter(candidate =>
        matched.every(({ column }, index) =>
          wanted[index]?.includes(keyText(columnOf(candidate, column, scope, ['match', column]))),
        ),
      )
      if (rows.length === 0)
        throw scope.invalid(`No row of ${String(operand)} matches.`, 'Add such a row, or widen where and match.', [
          'pick',
        ])
      group = { rows, choice: weighted(rows.map(weightOf)) }
      groups.set(key, group)
    }
    return group.rows[group.choice.pick(scope.stream.uniform(row.number))] ?? null
  }
}
