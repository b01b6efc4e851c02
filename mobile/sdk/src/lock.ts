/**
 * One at a time: refreshing a session, syncing a database.
 *
 * In one process by a queue; between the tabs of a browser by the Web Locks API, where there is one. A React Native app is one
 * process, its background tasks included, and needs no more. A browser without Web Locks (Safari before 15.4) is kept right by the
 * server alone: a refresh that comes twice within a minute gives the same tokens.
 *
 * Owns: the turn. Must not know: what it is for. Invariant: two pieces of work of one name never overlap; one that fails, or was
 * called off while it waited, lets the next go on (test/unit/lock.test.ts).
 */
import { Cancelled } from './errors'
import { heed } from './transport'

export interface Lock {
  /** Do `work` when it is its turn. The signal ends the waiting, with Cancelled; work that has begun heeds it by itself. */
  run<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** The part of `navigator.locks` that is used. */
export interface WebLocks {
  request<T>(name: string, options: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T>
}

/** The turns of one process. */
export class Turns implements Lock {
  private readonly last = new Map<string, Promise<void>>()

  async run<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.last.get(name) ?? Promise.resolve()
    let end = (): void => undefined
    const over = new Promise<void>((done) => (end = done))
    // Whoever gives up early does not let the next begin early.
    const turn = before.then(() => over)
    this.last.set(name, turn)
    try {
      await heed(before, signal)
      return await work()
    } finally {
      end()
      void turn.then(() => {
        if (this.last.get(name) === turn) this.last.delete(name)
      })
    }
  }
}

/** The turns of all tabs of an origin. */
export class TabTurns implements Lock {
  constructor(private readonly locks: WebLocks) {}

  async run<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    let begun = false
    const begin = (): Promise<T> => {
      begun = true
      return work()
    }
    try {
      return await this.locks.request(name, signal ? { signal } : {}, begin)
    } catch (error) {
      if (!begun && signal?.aborted) throw new Cancelled() // the browser has a word of its own for it
      throw error
    }
  }
}

const turns = new Turns()

/** The lock for this surrounding. */
export const lock: Lock = {
  run(name, work, signal) {
    const web = (globalThis as { navigator?: { locks?: WebLocks } }).navigator?.locks
    return web ? new TabTurns(web).run(name, work, signal) : turns.run(name, work, signal)
  },
}
