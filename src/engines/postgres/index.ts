/** PostgreSQL. What opens a connection loads when it is first asked for. */
import { PlinthError } from '../../errors.ts'
import type { Engine } from '../engine.ts'
import { untried } from './supported.ts'
import { describeTargets, parseTargets, withDatabase } from './url.ts'

export const postgres: Engine = {
  name: 'postgres',
  schemes: ['postgres', 'postgresql'],
  can: {
    transactionalDdl: true,
    concurrentProcesses: true,
    leases: true,
    timeouts: true,
    rowSecurity: true,
    postgresSyntax: true,
    googleSyntax: false,
    capture: true,
    warehouse: false,
    statefulSessions: true,
  },
  async open(url, options) {
    const { openSession } = await import('./session.ts')
    return openSession(postgres, url, options)
  },
  describe(url) {
    try {
      return describeTargets(parseTargets(url))
    } catch (error) {
      if (error instanceof PlinthError) return 'a database URL that cannot be read'
      throw error
    }
  },
  async createScratch(url, name, options = {}) {
    const { createScratch } = await import('./scratch.ts')
    return createScratch(postgres, url, name, options.template)
  },
  untried,
  beside: withDatabase,
  async writeChanges(from, to) {
    const { writeChanges } = await import('./changes/index.ts')
    return writeChanges(from, to)
  },
}
