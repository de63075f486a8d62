/** The hour (UTC) of each row, reckoned here: asking the source for it would cost it a call and twelve bytes for every row. */
import { type Block, type BlockColumn, blockRows } from '../../engines/block.ts'

/**
 * Adds the hour of the timestamps in the column at `time` before the last column of each block, as PostgreSQL's `date_bin` would answer it:
 * infinities stay as they are. The block is filled anew each time.
 */
export async function* withHours(blocks: AsyncIterable<Block>, time: number): AsyncGenerator<Block, void> {
  const hours = { words: new Uint32Array(blockRows * 2), width: 2, nulls: new Uint8Array(blockRows), texts: null }
  for await (const { rows, columns } of blocks) {
    writeHours(columns[time] as BlockColumn, rows, hours)
    yield { rows, columns: [...columns.slice(0, -1), hours, columns.at(-1) as BlockColumn] }
  }
}

const microsPerHour = 3_600_000_000

function writeHours(times: BlockColumn, rows: number, hours: BlockColumn): void {
  hours.nulls.set(times.nulls.subarray(0, rows))
  // Rows that follow each other are mostly of the same hour.
  let began = Number.NaN
  let low = 0
  let high = 0
  for (let row = 0; row < rows; row++) {
    const timeHigh = (times.words[row * 2 + 1] as number) | 0
    const timeLow = times.words[row * 2] as number
    if (timeHigh < -0x200000 || timeHigh > 0x1fffff) {
      writeFarHour(hours.words, row * 2, (BigInt(timeHigh) << 32n) | BigInt(timeLow))
      continue
    }
    // A double holds these microseconds exactly, and the remainder of a division as well.
    const micros = timeHigh * 4_294_967_296 + timeLow
    if (!(micros >= began && micros < began + microsPerHour)) {
      const rest = micros % microsPerHour
      began = micros - (rest < 0 ? rest + microsPerHour : rest)
      high = Math.floor(began / 4_294_967_296)
      low = began - high * 4_294_967_296
    }
    hours.words[row * 2] = low
    hours.words[row * 2 + 1] = high
  }
}

/** More than 285 years from 1970. */
function writeFarHour(words: Uint32Array, offset: number, micros: bigint): void {
  const infinite = micros === 0x7fffffffffffffffn || micros === -0x7fffffffffffffffn
  const rest = infinite ? 0n : ((micros % 3_600_000_000n) + 3_600_000_000n) % 3_600_000_000n
  const hour = BigInt.asUintN(64, micros - rest)
  words[offset] = Number(hour & 0xffffffffn)
  words[offset + 1] = Number(hour >> 32n)
}
