/** One seeded source of chance: the seed of COTTON_TEST_SEED plays a run again. */
export class Random {
  private state: number

  constructor(readonly seed: number = Number(process.env['COTTON_TEST_SEED'] ?? Date.now() % 1_000_000)) {
    this.state = seed >>> 0
    console.log(`COTTON_TEST_SEED=${seed}`)
  }

  /** A number in [0, 1): mulberry32, which is short and passes the usual tests. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)]
    if (found === undefined) throw new Error('nothing to pick from')
    return found
  }

  id(): string {
    const letters = '0123456789abcdefghijklmnopqrstuvwxyz'
    return Array.from({ length: 16 }, () => this.pick([...letters])).join('')
  }
}
