/** Injects many faults, a few at a time, and counts them. */
import { chooseFaults, describeFault, type Fault, type FaultOptions, kinds, type Kind, nameOf } from './fault.ts'
import { openSmallDisk, type SmallDisk } from './small-disk.ts'
import { openStage, type Stage } from './stage.ts'
import { tell, type Told } from './story.ts'

export interface CampaignOptions extends FaultOptions {
  readonly serverUrl: string
  /** Databases that are disturbed at the same time. */
  readonly lanes: number
  /** No fault begins after that. */
  readonly secondsMax: number
  /** Only the fault of this number, to see it again. */
  readonly only: number | null
  readonly onTold?: (told: Told) => void
}

export interface Campaign {
  readonly injected: Readonly<Record<Kind, number>>
  readonly disturbed: number
  /** One text for each fault that left some. */
  readonly traces: readonly string[]
  /** Faults that could not be injected here, with the reason. */
  readonly skipped: ReadonlyMap<string, number>
  /** Messages of undisturbed runs at which a blow fell, and how many there are. */
  readonly landmarks: { readonly hit: number; readonly all: number }
}

export async function disturb(options: CampaignOptions): Promise<Campaign> {
  const stage = await openStage(options.serverUrl)
  const disk = options.kinds.includes('disk') ? await openSmallDisk() : 'not asked for'
  const diskStage = typeof disk === 'string' ? null : await openStage(disk.serverUrl, disk.tablespace)
  try {
    return await count(options, { stage, disk, diskStage })
  } finally {
    await diskStage?.close()
    if (typeof disk !== 'string') await disk.close()
    await stage.close()
  }
}

interface Places {
  readonly stage: Stage
  readonly disk: SmallDisk | string
  readonly diskStage: Stage | null
}

async function count(options: CampaignOptions, { stage, disk, diskStage }: Places): Promise<Campaign> {
  const injected = Object.fromEntries(kinds.map(kind => [kind, 0])) as Record<Kind, number>
  const skipped = new Map<string, number>()
  const traces: string[] = []
  const hit = new Map<string, Set<number>>()
  const sizes = new Map<string, number>()
  let disturbed = 0
  let diskTurn: Promise<unknown> = Promise.resolve()

  const faults = chooseFaults(options, async stand => {
    const size = await stage.undisturbed(stand)
    sizes.set(nameOf(stand), size.landmarks)
    return size
  })

  const one = async (fault: Fault) => {
    let told: Told
    if (fault.kind !== 'disk') told = await tell(stage, fault, null)
    else if (typeof disk === 'string' || !diskStage) {
      skipped.set(disk as string, (skipped.get(disk as string) ?? 0) + 1)
      return
    } else {
      // There is one small disk, and it can be full for one run only.
      const turn = diskTurn.then(() => tell(diskStage, fault, disk))
      diskTurn = turn.catch(() => undefined)
      told = await turn
    }
    injected[fault.kind] += told.injected
    disturbed += told.disturbed
    if (told.traces.length > 0) traces.push(report(told))
    const { point } = fault.blow
    if (point.kind !== 'time' && told.injected > 0) {
      const name = nameOf(fault)
      hit.set(name, (hit.get(name) ?? new Set()).add(point.landmark))
    }
    options.onTold?.(told)
  }

  const overAtMs = performance.now() + options.secondsMax * 1000
  await inLanes(options.lanes, faults, async fault => {
    if (performance.now() > overAtMs) return
    if (options.only === null || fault.number === options.only) await one(fault)
  })
  const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, number) => total + number, 0)
  return {
    injected,
    disturbed,
    traces,
    skipped,
    landmarks: { hit: sum([...hit.values()].map(set => set.size)), all: sum(sizes.values()) },
  }
}

/** `faults: 412 injected (kill 120, cut 98, …), 371 disturbed a run, 0 left a trace`. */
export function summarize(campaign: Campaign, seed: number): string {
  const { injected, disturbed, traces, skipped, landmarks } = campaign
  const total = Object.values(injected).reduce((sum, number) => sum + number, 0)
  const each = kinds.filter(kind => injected[kind] > 0).map(kind => `${kind} ${injected[kind]}`)
  const left = [...skipped].map(([reason, number]) => `, ${number} skipped: ${reason}`).join('')
  return (
    `faults: ${total} injected (${each.join(', ')}), ${disturbed} disturbed a run, ${traces.length} left a trace${left}; ` +
    `at ${landmarks.hit} of ${landmarks.all} messages, seed ${seed}`
  )
}

/** What a fault left, with what names it. */
export function report({ fault, traces, said }: Told): string {
  return [describeFault(fault), `the disturbed run said: ${said ?? 'nothing'}`, ...traces].join('\n  ')
}

/** What broke is told when nobody works any more. */
async function inLanes<T>(lanes: number, source: AsyncGenerator<T>, work: (one: T) => Promise<void>): Promise<void> {
  const lane = async () => {
    for (;;) {
      const next = await source.next()
      if (next.done) return
      await work(next.value)
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: lanes }, lane))
  for (const one of ended) if (one.status === 'rejected') throw one.reason
}
