/** Reading usage from the rollups of a project. */
import type { ReadRequest, UsageReading } from '../analytics/read/read.ts'
import { type Desk, flowOf } from './desk.ts'

export async function readRollups(desk: Desk, request: ReadRequest): Promise<UsageReading> {
  const { readUsage } = await import('../analytics/read/read.ts')
  const { loadProject } = await import('../analytics/project/load.ts')
  const { config, emit } = desk
  const project = await loadProject(config.analytics, { root: config.root })
  const waitMs = config.migrations.lockWaitSeconds * 1000
  return readUsage(project, request, { ...(await flowOf(desk)), emit, waitMs })
}
