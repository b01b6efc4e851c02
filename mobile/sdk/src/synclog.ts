/**
 * What the last syncs did, for support: when, how much, how it ended. No value of any record, no token.
 *
 * Owns: the log, in the database. Must not know: the network.
 * Invariant: it has the newest fifty entries, oldest first, also after a restart (test/unit/status.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'

export interface SyncLogEntry {
  /** Milliseconds since 1970, by this phone's clock. */
  at: number
  ms: number
  cursor: number | null
  sent: number
  received: number
  requests: number
  /** How many records got which verdict. */
  verdicts: Record<string, number>
  stuck: number
  /** Why it failed; `request`: what to quote to the server's operators. */
  error?: { code: string; message: string; request?: string }
}

const KEY = 'cotton.log'
const ENTRIES_MAX = 50

export class SyncLog {
  constructor(private readonly database: Database) {}

  async read(): Promise<SyncLogEntry[]> {
    const text = await this.database.adapter.getLocal(KEY)
    return text ? (JSON.parse(text) as SyncLogEntry[]) : []
  }

  async add(entry: SyncLogEntry): Promise<void> {
    const entries = [...(await this.read()), entry].slice(-ENTRIES_MAX)
    await this.database.adapter.setLocal(KEY, JSON.stringify(entries))
  }
}
