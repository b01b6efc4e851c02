/**
 * Numbers for documents that are made without a signal, out of blocks that the server leased to this installation.
 *
 * ```ts
 * await cotton.numbers.refill('trade', branchId)               // when there is a signal; does nothing while enough is left
 * const number = await cotton.numbers.take('trade', branchId)  // null: none is left; leave the field empty, the server gives one
 * ```
 *
 * What was given is kept before it is handed out. An app that is killed between loses a number, which the office can explain, and
 * never gives one twice. What the server does not list any more was reclaimed, and nothing is given out of it from then on; numbers
 * that were given before stay valid. docs/PROTOCOL.md, "Document numbers", says the rest.
 *
 * Owns: which number comes next. Must not know: what is numbered.
 * Invariant: no number is given twice, whoever asks at the same time and whenever the app dies (test/unit/numbers.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'

import { lock } from './lock'
import { localStore } from './storage'
import type { SecretStore } from './storage'
import type { SendOptions } from './transport'

const PREFIX = 'cotton.numbers.'

interface Series {
  id: string
  prefix: string
  width: number
  starts_on: string
  ends_on: string
}
interface LeasedBlock {
  id: string
  first: number
  last: number
  used_to: number
  expires_at: number
}
/** What `POST /api/v1/numbers/lease` answers. */
interface Leased {
  series: Series
  blocks: LeasedBlock[]
}
/** A block as it is kept here; `next`: the first number of it that was not given; `back`: from where on it is to go back. */
interface Block {
  id: string
  next: number
  last: number
  expires_at: number
  back?: number
}
/** The numbers of one kind in one branch and one year. */
interface Stock {
  series: Series
  blocks: Block[]
}

/** The part of `Transport` that is used. */
export interface NumberServer {
  post<T>(path: string, body: unknown, options?: SendOptions): Promise<T>
}

export interface NumbersOptions {
  /** How many numbers to have in hand after a refill; default 20. */
  count?: number
  /** Below how many a refill asks for more; default 5. */
  lowWater?: number
}

export class Numbers {
  private readonly store: SecretStore
  private readonly count: number
  private readonly lowWater: number

  /** `server`: a Transport, or anything that posts for this installation's session. */
  constructor(
    database: Database,
    private readonly server: NumberServer,
    options: NumbersOptions = {},
  ) {
    this.store = localStore(database)
    this.count = options.count ?? 20
    this.lowWater = options.lowWater ?? 5
  }

  /** Give the next number of a kind of document in a branch, as it is written; null: none is left for that day's year. */
  take(kind: string, branchId: string, day: string = today()): Promise<string | null> {
    return this.alone(kind, branchId, async (stocks) => {
      const stock = stocks.find((one) => isOf(one, day))
      const block = stock?.blocks.find((one) => one.next <= one.last && one.expires_at > Date.now())
      if (!stock || !block) return null
      const number = block.next
      block.next += 1
      await this.keep(kind, branchId, stocks)
      return written(stock.series, number)
    })
  }

  /** How many numbers can be taken without a signal. */
  left(kind: string, branchId: string, day: string = today()): Promise<number> {
    return this.alone(kind, branchId, (stocks) => Promise.resolve(leftOf(stocks.find((one) => isOf(one, day)))))
  }

  /** Ask for numbers if fewer than the low water are left. Throws what a request throws; then what was left still is. */
  async refill(kind: string, branchId: string, day: string = today(), options: SendOptions = {}): Promise<void> {
    await this.alone(kind, branchId, async (stocks) => {
      const stock = stocks.find((one) => isOf(one, day))
      const left = leftOf(stock)
      if (left >= this.lowWater) return
      const holds = stock?.blocks.map((block) => block.id) ?? []
      const asked = { kind, branch_id: branchId, count: this.count, on: day, holds, left }
      const leased = await this.server.post<Leased>('/api/v1/numbers/lease', asked, options)
      const others = stocks.filter((one) => one.series.id !== leased.series.id)
      const known = stocks.find((one) => one.series.id === leased.series.id)
      await this.keep(kind, branchId, [...others, merged(known, leased)])
    })
  }

  /** Give all numbers back that were not taken: before this installation is given away. If it throws, do it again. */
  async giveBack(kind: string, branchId: string, options: SendOptions = {}): Promise<void> {
    await this.alone(kind, branchId, async (stocks) => {
      const all = stocks.flatMap((one) => one.blocks)
      // Not to be taken from now on, whatever becomes of the request. A block that the server still lists is not begun anew.
      for (const block of all.filter((one) => one.next <= one.last)) {
        block.back = block.next
        block.next = block.last + 1
      }
      await this.keep(kind, branchId, stocks)
      const blocks = Object.fromEntries(all.flatMap(({ id, back }) => (back === undefined ? [] : [[id, back]])))
      if (Object.keys(blocks).length > 0) await this.server.post('/api/v1/numbers/return', { blocks }, options)
      // The blocks stay known until the server lists them no more: those before `back` may not have been sent yet.
      for (const block of all) delete block.back
      await this.keep(kind, branchId, stocks)
    })
  }

  /** Read what is in hand and work with it while nobody else does. */
  private alone<T>(kind: string, branchId: string, work: (stocks: Stock[]) => Promise<T>): Promise<T> {
    const key = keyOf(kind, branchId)
    return lock.run(key, async () => {
      const kept = await this.store.get(key)
      return await work(kept ? (JSON.parse(kept) as Stock[]) : [])
    })
  }

  private keep(kind: string, branchId: string, stocks: Stock[]): Promise<void> {
    return this.store.set(keyOf(kind, branchId), JSON.stringify(stocks))
  }
}

function keyOf(kind: string, branchId: string): string {
  return `${PREFIX}${kind}.${branchId}`
}

function isOf(stock: Stock, day: string): boolean {
  return stock.series.starts_on <= day && day <= stock.series.ends_on
}

function leftOf(stock: Stock | undefined): number {
  const blocks = stock?.blocks.filter((one) => one.expires_at > Date.now()) ?? []
  return blocks.reduce((sum, block) => sum + Math.max(block.last - block.next + 1, 0), 0)
}

/** Take over what the server says is this device's; nothing that was given, here or by a memory that was lost, comes again. */
function merged(known: Stock | undefined, leased: Leased): Stock {
  const blocks = leased.blocks.map(({ id, first, last, used_to, expires_at }) => {
    const mine = known?.blocks.find((block) => block.id === id)
    const back = mine?.back === undefined ? {} : { back: mine.back }
    return { id, next: Math.max(mine?.next ?? first, used_to + 1), last, expires_at, ...back }
  })
  return { series: leased.series, blocks }
}

function written(series: Series, number: number): string {
  return series.prefix + String(number).padStart(series.width, '0')
}

/** Today where the phone is, as days are written in records. */
function today(): string {
  const now = new Date()
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${String(now.getFullYear())}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
}
