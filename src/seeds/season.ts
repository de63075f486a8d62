/** Moments within a window that follow the hours of the day, the days of the week and a growth from week to week. */
import { weighted } from './distribution.ts'

export interface Season {
  readonly fromMs: number
  readonly toMs: number
  /** 24 weights, midnight UTC first. */
  readonly hours: readonly number[]
  /** 7 weights, Monday first. */
  readonly weekdays: readonly number[]
  /** How much more traffic a week has than the week before; 1 for none. */
  readonly weeklyGrowth: number
}

/** Answers the moment, in milliseconds, at a quantile in [0, 1) of the window. */
export function timeSampler(season: Season): (quantile: number) => number {
  const hours = Math.floor((season.toMs - season.fromMs) / hourMs)
  const weights: number[] = []
  let growth = 1
  for (let hour = 0; hour < hours; hour++) {
    if (hour > 0 && hour % 168 === 0) growth *= season.weeklyGrowth
    const at = new Date(season.fromMs + hour * hourMs)
    const weekday = (at.getUTCDay() + 6) % 7
    weights.push(growth * (season.hours[at.getUTCHours()] ?? 0) * (season.weekdays[weekday] ?? 0))
  }
  const choice = weighted(weights)
  return quantile => {
    const { index, rest } = choice.within(quantile)
    return season.fromMs + Math.floor((index + rest) * hourMs)
  }
}

const hourMs = 3_600_000
