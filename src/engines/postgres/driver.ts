/** The driver `pg`: the one place that loads it. */
import { takeNavigatorBack } from './navigator.ts'

// Evaluated behind the module above, whose import stands first.
export {
  Client,
  type ClientConfig,
  Connection,
  escapeIdentifier,
  escapeLiteral,
  Query,
  type QueryConfig,
  type QueryResult,
  Result as DriverResult,
  type Submittable,
} from 'pg'

takeNavigatorBack()
