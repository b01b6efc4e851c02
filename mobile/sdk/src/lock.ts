/**
 * One at a time: refreshing a session, syncing a database.
 *
 * In one process by a queue; between the tabs of a browser by the Web Locks API, where there is one. A React Native app is one
 * process, its background tasks included.
 *
 * Owns: the turn. Must not know: what it is for. Invariant: two pieces of work of one name never overlap, and one that fails lets
 * the next go on (test/unit/lock.test.ts).
 */
import { throwIfCancelled } from './transport'

export interface Lock {
  run<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

interface WebLocks {
  request<T>(name: string, options: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T>
}

const turns = new Map<string, Promise<unknown>>()

/** The lock for this surrounding. */
export const lock: Lock = {
  run(name, work, signal) {
    const web = (globalThis as { navigator?: { locks?: WebLocks } }).navigator?.locks
    return inTurn(name, () => (web ? web.request(name, signal ? { signal } : {}, work) : work()), signal)
  },
}

async function inTurn<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const before = turns.get(name) ?? Promise.resolve()
  const mine = before.then(
    () => (throwIfCancelled(signal), work()),
    () => (throwIfCancelled(signal), work()),
  )
  turns.set(name, mine)
  try {
    return await mine
  } finally {
    if (turns.get(name) === mine) turns.delete(name)
  }
}
