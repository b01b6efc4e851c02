/**
 * What one user left unsynced on a phone that is now another's: it is filed at the server under who made it.
 *
 * Owns: the request. Must not know: who may log in.
 * Invariant: what is not filed is not taken away from the phone (test/server/hands.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'
import { getLastPulledAt } from '@nozbe/watermelondb/sync/impl'

import { EXCHANGE } from './exchange'
import type { Transport } from './transport'
import { countUnsynced, cut, readUnsynced } from './unsynced'
import { pushIdOf } from './wire'

/** What another user left here cannot be filed: they have to log in once more, or it has to be given up. */
export class LeftByAnother extends Error {
  constructor(
    readonly owner: string,
    readonly pending: number,
    override readonly cause?: unknown,
  ) {
    super(`${pending} changes of another user are still on this device.`)
    this.name = 'LeftByAnother'
  }
}

/** Have everything unsynced filed as the previous owner's. Throws LeftByAnother, and what the transport throws. */
export async function handOver(database: Database, transport: Transport, owner: string, me: string, signal?: AbortSignal): Promise<void> {
  const [cursor, unsynced] = await database.read(async () => [await getLastPulledAt(database), await readUnsynced(database)] as const)
  const pending = countUnsynced(unsynced)
  if (pending === 0) return
  const [org, author = ''] = owner.split('/')
  if (!me.startsWith(`${org}/`)) throw new LeftByAnother(owner, pending)
  for (const { changes } of cut(unsynced, { records: 2000, size: 4_000_000 })) {
    const body = {
      push_id: pushIdOf(cursor, changes, author),
      last_pulled_at: cursor,
      schema_version: database.schema.version,
      migration: null,
      changes,
      sent_at: Date.now(),
      author,
    }
    try {
      await transport.post(EXCHANGE, body, signal ? { signal } : {})
    } catch (error) {
      if ((error as { status?: number }).status === 403) throw new LeftByAnother(owner, pending, error)
      throw error
    }
  }
}
