/**
 * A sync by WatermelonDB's own protocol, for servers that have no exchange.
 *
 * A clash is decided here, by the same policies, and pushed again. WatermelonDB would destroy a row that the server deleted
 * although it was edited here: such deletions are held back, until the push has told the server of the edit.
 *
 * Owns: the pair of calls over a transport, and how often a clash is tried. Must not know: what a policy decides.
 * Invariant: no unsynced edit is destroyed by a pull (test/server/cotton.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'
import { synchronize } from '@nozbe/watermelondb/sync'
import type { SyncPullArgs, SyncPullResult, SyncPushArgs } from '@nozbe/watermelondb/sync'

import { SyncError } from './errors'
import { conflictResolver } from './resolve'
import type { SendOptions, Transport } from './transport'
import { readUnsynced } from './unsynced'
import type { RemoteChanges } from './wire'

const SYNC = '/api/v1/sync'
const ATTEMPTS_MAX = 4

export interface StockOptions {
  migrationsEnabledAtVersion?: number
  signal?: AbortSignal
}

/** Sync once. Throws what the transport throws, and SyncError `conflict` if others win the race again and again. */
export async function stockSync(database: Database, transport: Transport, options: StockOptions = {}): Promise<void> {
  const { migrationsEnabledAtVersion, signal } = options
  const sending: SendOptions = signal ? { signal } : {}
  const pair = {
    pullChanges: (args: SyncPullArgs) => pull(database, transport, args, sending),
    pushChanges: ({ changes, lastPulledAt }: SyncPushArgs) => transport.post<object>(`${SYNC}?last_pulled_at=${lastPulledAt}`, changes, sending),
  }
  const versions = migrationsEnabledAtVersion === undefined ? {} : { migrationsEnabledAtVersion }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await synchronize({ database, ...pair, ...versions, conflictResolver })
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'conflict' || attempt === ATTEMPTS_MAX) throw error
    }
  }
}

async function pull(database: Database, transport: Transport, args: SyncPullArgs, sending: SendOptions): Promise<SyncPullResult> {
  const { lastPulledAt, schemaVersion, migration } = args
  const query = `last_pulled_at=${lastPulledAt ?? null}&schema_version=${schemaVersion}&migration=${encodeURIComponent(JSON.stringify(migration ?? null))}`
  const answer = await transport.get<SyncPullResult & { changes: RemoteChanges }>(`${SYNC}?${query}`, sending)
  const unsynced = await database.read(() => readUnsynced(database), 'sync: what a pull must not destroy')
  for (const [table, lists] of Object.entries(answer.changes)) {
    const edited = unsynced.get(table)?.rows
    if (lists.deleted && edited) lists.deleted = lists.deleted.filter((id) => !edited.has(id))
  }
  return answer
}
