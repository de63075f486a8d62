/** All that a call needs that somebody else answers: one small file, since each that Node reads takes its time. */
export { openCall } from './answered.ts'
export { askResident } from './resident/ask.ts'
