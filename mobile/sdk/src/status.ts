/**
 * What an app shows of its syncing: one value, and a way to hear of the next.
 *
 * Owns: the value and its listeners. Must not know: how syncing goes.
 * Invariant: a listener hears the value of now at once, and each change after it; one that throws harms no other
 * (test/unit/status.test.ts).
 */
import type { Progress, Stuck } from './exchange'

export type Phase = 'idle' | 'pulling' | 'pushing' | 'offline' | 'error'

export interface SyncStatus {
  phase: Phase
  /** Changes that the server has not heard of. */
  pending: number
  /** Open issues: changes that wait for a person. */
  parked: number
  /** Milliseconds since 1970, by this phone's clock; null: never. */
  lastSyncedAt: number | null
  /** While something is being received. */
  progress: Omit<Progress, 'phase'> | null
  /** Why the last sync failed; null: it did not. `retryAt`: when the next will be tried. */
  error: { code: string; message: string; retryAt: number | null } | null
  /** Records that the server cannot read: for the developer. */
  stuck: readonly Stuck[]
}

export type Unsubscribe = () => void

export class Status {
  private readonly listeners = new Set<(status: SyncStatus) => void>()

  /** `broken` hears of what listeners throw: by default the app's own handling of errors, and not the sync. */
  constructor(private readonly broken: (error: unknown) => void = throwLater) {}

  private now: SyncStatus = { phase: 'idle', pending: 0, parked: 0, lastSyncedAt: null, progress: null, error: null, stuck: [] }

  get value(): SyncStatus {
    return this.now
  }

  /** Hear of the status, beginning with that of now. */
  subscribe(listener: (status: SyncStatus) => void): Unsubscribe {
    this.listeners.add(listener)
    listener(this.now)
    return () => this.listeners.delete(listener)
  }

  change(to: Partial<SyncStatus>): void {
    const changed = (Object.keys(to) as (keyof SyncStatus)[]).some((name) => to[name] !== this.now[name])
    if (!changed) return
    this.now = { ...this.now, ...to }
    for (const listener of [...this.listeners]) {
      try {
        listener(this.now)
      } catch (error) {
        this.broken(error)
      }
    }
  }
}

/** Let the app's own handling of errors have an error that must not disturb what is going on. */
export function throwLater(error: unknown): void {
  setTimeout(() => {
    throw error
  })
}
