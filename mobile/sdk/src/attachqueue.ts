/**
 * Which files wait to be uploaded: kept in the database's local storage, so that they wait through an end of the app.
 *
 * An entry is kept before its record is made, and says so: whoever finds one that was not finished, and no record, knows that
 * the app was killed within `add`, which had promised nothing yet.
 *
 * Owns: the entries on disk. Must not know: requests, records, files.
 * Invariant: an entry that was put is there until it is taken out, whatever others are put or taken out at the same time
 * (test/unit/attachments.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'

import type { Lock } from './lock'
import { localStore } from './storage'
import type { SecretStore } from './storage'

const KEY = 'cotton.attachments'

/** A file in the queue. */
export interface Entry {
  /** Of the attachment's record. */
  id: string
  /** What the app calls the file by. */
  file: string
  size: number
  /** Who attached it: nobody else may send it. */
  owner: string
  /** Its record was made. */
  made: boolean
  /** The server has it; only the app has not been told, perhaps. */
  done?: true
  /** Why it is not tried any more. */
  failed?: { code: string; message: string }
}

interface Kept {
  paused: boolean
  entries: Entry[]
}

export class AttachQueue {
  private readonly store: SecretStore
  private readonly turn: string

  constructor(
    database: Database,
    private readonly lock: Lock,
  ) {
    this.store = localStore(database)
    this.turn = `${KEY}.${(database.adapter as unknown as { dbName?: string }).dbName ?? ''}`
  }

  async read(): Promise<Kept> {
    const kept = await this.store.get(KEY)
    return kept ? (JSON.parse(kept) as Kept) : { paused: false, entries: [] }
  }

  /** Do `work` with the entries while nobody else changes them, and keep them as it leaves them; also when it throws half-way. */
  change<T>(work: (kept: Kept, keep: () => Promise<void>) => Promise<T> | T): Promise<T> {
    return this.lock.run(this.turn, async () => {
      const kept = await this.read()
      const keep = (): Promise<void> => this.store.set(KEY, JSON.stringify(kept))
      const before = JSON.stringify(kept)
      try {
        return await work(kept, keep)
      } finally {
        if (JSON.stringify(kept) !== before) await keep()
      }
    })
  }

  /** Change one entry, if it is still there. */
  edit(id: string, change: (entry: Entry) => void): Promise<void> {
    return this.change(({ entries }) => {
      const entry = entries.find((one) => one.id === id)
      if (entry) change(entry)
    })
  }

  take(id: string): Promise<void> {
    return this.change((kept) => {
      kept.entries = kept.entries.filter((one) => one.id !== id)
    })
  }
}
