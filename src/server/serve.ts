/** `plinth serve`: answers requests and keeps the schedule until it is told to stop. */
import type { Foundation } from '../foundation.ts'
import { type AppOptions, listen } from './app.ts'

/** Ends when the signal comes, after the request at hand; a job at hand is rolled back to its last batch and left to others, at once. */
export async function serve(
  foundation: Foundation,
  options: AppOptions & { readonly lookMs: number; readonly onListening: (url: string) => void },
): Promise<void> {
  const app = await listen(foundation, options)
  options.onListening(app.url)
  try {
    await foundation.keepSchedule(options.lookMs)
  } finally {
    await app.close()
  }
}
