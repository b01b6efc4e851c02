/**
 * Kills an app at a chosen step: from then on nothing of it reaches the disk or the network, and nothing comes back.
 *
 * A step is a write of the database or a request. The disk is a SQLite file, which the next app opens.
 *
 * Owns: counting the steps, and the silence after the last. Must not know: what is synced.
 * Invariant: what was done before the kill is on disk, nothing after it is (test/server/kill.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'

import type { Network } from './phone'

type Method = (...args: unknown[]) => void
const WRITES = ['batch', 'setLocal', 'removeLocal', 'destroyDeletedRecords'] as const
const SILENCE = new Promise<never>(() => undefined)

export class Killer {
  steps = 0
  private dead = false
  private died: () => void = () => undefined
  /** Settles when the app is killed. */
  readonly death = new Promise<void>((done) => (this.died = done))

  /** `at`: the step, from 1 up; `done`: whether that step still has its effect. */
  constructor(
    private readonly at: number,
    private readonly done: boolean,
  ) {}

  /** Watch what the database writes. */
  watch(database: Database): void {
    const adapter = database.adapter.underlyingAdapter as unknown as Record<string, Method>
    for (const name of WRITES) {
      const method = adapter[name]?.bind(adapter) as Method
      adapter[name] = (...args) => {
        const callback = args[args.length - 1] as Method
        if (!this.step()) return
        if (this.isLast && !this.done) return this.die()
        method(...args.slice(0, -1), (...results: unknown[]) => {
          if (this.isLast) this.die()
          if (!this.dead) callback(...results)
        })
      }
    }
  }

  readonly network: Network = async (next) => {
    if (!this.step()) return SILENCE
    if (this.isLast && !this.done) return this.die(), SILENCE
    const last = this.isLast
    const answer = await next()
    if (last) this.die()
    return this.dead ? SILENCE : answer
  }

  private get isLast(): boolean {
    return this.steps === this.at
  }

  private step(): boolean {
    if (!this.dead) this.steps += 1
    return !this.dead
  }

  private die(): void {
    this.dead = true
    this.died()
  }
}
