/**
 * When to sync without being asked: shortly after an edit, when the network or the app comes back, now and then, and again after
 * a failure, later each time.
 *
 * Owns: the timers. Must not know: what a sync does. Invariant: one sync at a time; after `stop` no timer is left, so that an app
 * in the background is not kept awake (test/unit/auto.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'

import { boundOf } from './backoff'
import type { Backoff } from './backoff'
import { syncedTables } from './unsynced'

/** What the app knows of its surroundings; each gives a way to unsubscribe. React Native: NetInfo and AppState. */
export interface Surroundings {
  /** Tells when the network comes (true) and goes (false). */
  onNetwork?: (heard: (online: boolean) => void) => () => void
  /** Tells when the app comes to the foreground (true) and leaves it (false). */
  onForeground?: (heard: (active: boolean) => void) => () => void
}

export interface AutoOptions extends Surroundings {
  /** Milliseconds of quiet after an edit; default 1500. */
  debounceMs?: number
  /** Milliseconds between syncs if nothing else happens; default 60 000; 0: never. */
  everyMs?: number
  /** The first and the longest wait after a failure. Each is drawn between nothing and a bound that doubles. */
  backoffMs?: Backoff
  random?: () => number
}

/** How a sync ended, as far as the next depends on it; `waitMs`: how long the server asked to wait. */
export interface Ended {
  ok: boolean
  /** Whether trying again by itself can help. */
  again: boolean
  waitMs?: number
}

export class Auto {
  private timer: ReturnType<typeof setTimeout> | null = null
  private failures = 0
  private running = false
  private online = true
  private active = true
  private readonly stops: (() => void)[] = []

  constructor(
    private readonly database: Database,
    private readonly sync: () => Promise<Ended>,
    private readonly options: AutoOptions = {},
    private readonly heard: (retryAt: number | null, online: boolean) => void = () => undefined,
  ) {}

  start(): void {
    if (this.stops.length > 0) return
    const { onNetwork, onForeground, debounceMs = 1500 } = this.options
    const edits = this.database.experimentalSubscribe(syncedTables(this.database) as never, () => this.edited(debounceMs))
    this.stops.push(edits)
    if (onNetwork) this.stops.push(onNetwork((online) => this.moved({ online })))
    if (onForeground) this.stops.push(onForeground((active) => this.moved({ active })))
    this.at(0)
  }

  stop(): void {
    for (const stop of this.stops.splice(0)) stop()
    this.clear()
  }

  /** The sync's own writes are no edits. */
  private edited(debounceMs: number): void {
    if (!this.running && this.failures === 0) this.at(debounceMs)
  }

  private moved({ online = this.online, active = this.active }): void {
    const back = (online && !this.online) || (active && !this.active)
    ;[this.online, this.active] = [online, active]
    this.heard(null, online)
    if (!online || !active) this.clear()
    else if (back) {
      this.failures = 0
      this.at(0)
    }
  }

  /** Sync in `ms`, and not when it was due before. */
  private at(ms: number): void {
    this.clear()
    if (!this.online || !this.active || this.stops.length === 0) return
    this.timer = setTimeout(() => void this.run(), ms)
  }

  private clear(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  private async run(): Promise<void> {
    if (this.running) return
    this.running = true
    const ended = await this.sync().finally(() => (this.running = false))
    this.failures = ended.ok ? 0 : this.failures + 1
    const { everyMs = 60_000 } = this.options
    const wait = ended.ok || !ended.again ? everyMs : Math.max(ended.waitMs ?? 0, this.backoff())
    if (!ended.ok) this.heard(wait > 0 ? Date.now() + wait : null, this.online)
    if (wait > 0) this.at(wait)
  }

  private backoff(): number {
    const { backoffMs = { first: 2000, longest: 300_000 }, random = Math.random } = this.options
    return random() * boundOf(backoffMs, this.failures)
  }
}
