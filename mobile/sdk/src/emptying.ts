/**
 * Taking the synced tables' rows away from this phone: for another user, by order of an administrator, or to begin anew.
 *
 * Rows go piece by piece, and not by a reset of the database, which would break every screen that is looking at it.
 *
 * Owns: the deletion. Must not know: why. Invariant: what is unsynced goes first, or not at all, so that no half of it is ever
 * pushed by somebody else (test/server/hands.test.ts).
 */
import { Q } from '@nozbe/watermelondb'
import type { Database } from '@nozbe/watermelondb'

import { syncedTables } from './unsynced'

const PIECE = 1000
const CURSORS = ['__watermelon_last_pulled_at', '__watermelon_last_pulled_schema_version']

/** Destroy the rows of the synced tables; with `keepUnsynced` only those that the server has. */
export async function emptyTables(database: Database, { keepUnsynced = false } = {}): Promise<void> {
  const unsynced = Q.where('_status', Q.notEq('synced'))
  if (!keepUnsynced) {
    for (const table of syncedTables(database)) await destroy(database, table, unsynced)
    for (const table of syncedTables(database)) await destroyTombstones(database, table)
  }
  for (const table of syncedTables(database)) await destroy(database, table, Q.where('_status', 'synced'))
}

/** Forget how far this phone had pulled: the next sync is a first one. */
export async function forgetCursor(database: Database): Promise<void> {
  for (const key of CURSORS) await database.adapter.removeLocal(key)
}

async function destroy(database: Database, table: string, which: Q.Where): Promise<void> {
  const collection = database.get(table)
  const ids = await collection.query(which).fetchIds()
  for (let start = 0; start < ids.length; start += PIECE) {
    await database.write(async () => {
      const rows = await collection.query(Q.where('id', Q.oneOf(ids.slice(start, start + PIECE)))).fetch()
      await database.batch(...rows.map((row) => row.prepareDestroyPermanently()))
    }, `emptying ${table}`)
  }
}

async function destroyTombstones(database: Database, table: string): Promise<void> {
  await database.write(async () => {
    const ids = await database.adapter.getDeletedRecords(table as never)
    if (ids.length > 0) await database.adapter.destroyDeletedRecords(table as never, ids)
  }, `emptying ${table}`)
}
