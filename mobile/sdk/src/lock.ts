/**
 * One at a time: refreshing a session, syncing a database.
 *
 * In one process by a queue; between the tabs of a browser by the Web Locks API, where there is one. A React Native app is one
 * process, its background tasks included.
 *
 * Owns: the turn. Must not know: what it is for. Invariant: two pieces of work of one name never overlap, and one that fails lets
 * the next go on (test/unit/transport.test.ts).
 */
import { throwIfCancelled } from './transport'

export interface Lock {
  run<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

interface WebLocks {
  request<T>(name: string, options: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T>
}

/** The turns of one process. */
export class Turns implements Lock {
  private readonly last = new Map<string, Promise<unknown>>()

  async run<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.last.get(name) ?? Promise.resolve()
    const begin = (): Promise<T> => {
      throwIfCancelled(signal)
      return work()
    }
    const mine = before.then(begin, begin)
    this.last.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.last.get(name) === mine) this.last.delete(name)
    }
  }
}

const turns = new Turns()

/** The lock for this surrounding. */
export const lock: Lock = {
  run(name, work, signal) {
    const web = (globalThis as { navigator?: { locks?: WebLocks } }).navigator?.locks
    return turns.run(name, () => (web ? web.request(name, signal ? { signal } : {}, work) : work()), signal)
  },
}
