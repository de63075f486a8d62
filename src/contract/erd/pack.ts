/** Packs boxes into about the shape of a screen. */
import type { Box, Point } from './geometry.ts'

export interface Packing extends Box {
  /** Upper left corner of each box, in the order given. */
  readonly places: readonly Point[]
}

/** Tries several widths and keeps the one that wastes least room and comes nearest to the shape wanted. */
export function pack(boxes: readonly Box[], gap: number): Packing {
  if (boxes.length === 0) return { width: 0, height: 0, places: [] }
  const widest = Math.max(...boxes.map(box => box.width))
  const inOneRow = boxes.reduce((sum, box) => sum + box.width + gap, -gap)
  const steps = Math.min(60, boxes.length * 6)
  const packings = Array.from({ length: steps + 1 }, (_, step) =>
    packInto(boxes, gap, widest + ((inOneRow - widest) * step) / steps),
  )
  return packings.reduce((best, candidate) => (cost(candidate) < cost(best) - 0.5 ? candidate : best))
}

/** Area, dearer the further its shape is from three to two; a wide picture is better than a tall one. */
export function cost({ width, height }: Box): number {
  const ratio = Math.log(width / Math.max(height, 1) / 1.5)
  return width * height * (1 + (ratio < 0 ? 1.2 : 0.8) * Math.abs(ratio))
}

interface Segment {
  readonly x: number
  readonly width: number
  readonly y: number
}

/** Skyline packing: each box, tallest first, goes where its lower edge comes to lie highest, then furthest left. */
function packInto(boxes: readonly Box[], gap: number, widthMax: number): Packing {
  const order = boxes
    .map((box, index) => ({ box, index }))
    .sort((a, b) => b.box.height - a.box.height || a.index - b.index)
  const places: { x: number; y: number }[] = boxes.map(() => ({ x: 0, y: 0 }))
  let skyline: readonly Segment[] = [{ x: 0, width: widthMax + gap, y: 0 }]
  for (const { box, index } of order) {
    const spot = lowest(skyline, box.width + gap, widthMax + gap)
    places[index] = spot
    skyline = raise(skyline, spot.x, box.width + gap, spot.y + box.height + gap)
  }
  const edge = (of: 'width' | 'height'): number =>
    Math.max(...boxes.map((box, index) => box[of] + (places[index]?.[of === 'width' ? 'x' : 'y'] ?? 0)))
  return { width: edge('width'), height: edge('height'), places }
}

function lowest(skyline: readonly Segment[], width: number, widthMax: number): { x: number; y: number } {
  const fits = skyline.filter(({ x }) => x + width <= widthMax + 0.001)
  const spots = fits.map(({ x }) => ({
    x,
    y: Math.max(
      ...skyline
        .filter(other => other.x < x + width - 0.001 && other.x + other.width > x + 0.001)
        .map(other => other.y),
    ),
  }))
  return spots.reduce(
    (best, spot) => (spot.y < best.y ? spot : best),
    spots[0] ?? { x: 0, y: Math.max(...skyline.map(({ y }) => y)) },
  )
}

function raise(skyline: readonly Segment[], x: number, width: number, y: number): readonly Segment[] {
  const end = x + width
  const left = skyline.flatMap(part => (part.x < x ? [{ ...part, width: Math.min(part.width, x - part.x) }] : []))
  const right = skyline.flatMap(part =>
    part.x + part.width > end + 0.001
      ? [{ ...part, x: Math.max(part.x, end), width: part.x + part.width - Math.max(part.x, end) }]
      : [],
  )
  return [...left, { x, width, y }, ...right]
}
