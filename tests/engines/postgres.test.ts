import { emptyDatabase } from '../support/database.ts'
import { describeEngine } from './conformance.ts'

describeEngine('postgres', emptyDatabase)
