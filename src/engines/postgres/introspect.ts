/** The catalog as plain data. */
import type { Schema } from '../../schema/model.ts'
import type { IntrospectOptions, Session } from '../engine.ts'

export async function introspect(session: Session, _options: IntrospectOptions = {}): Promise<Schema> {
  return {
    engine: session.engine.name,
    tables: [],
    views: [],
    enums: [],
    domains: [],
    routines: [],
    sequences: [],
    schemas: [],
    extensions: [],
  }
}
