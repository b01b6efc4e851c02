/**
 * What this phone has that the server has not: rows that were made or edited here, and tombstones of rows that were deleted.
 *
 * Read past WatermelonDB's cache of records, as copies: what is being sent must not change under an edit. Tables that the
 * server does not know (an app may have its own) are left out.
 *
 * Owns: reading and counting them, and cutting them into pushes. Must not know: requests, answers.
 * Invariant: parents go before children and deletions last, so that no cut parts a row from what it refers to
 * (test/unit/unsynced.test.ts).
 */
import { Q } from '@nozbe/watermelondb'
import type { Collection, Database, Model } from '@nozbe/watermelondb'
import { sanitizedRaw } from '@nozbe/watermelondb/RawRecord'

import { TABLES } from './generated/types'

/** A row as it is on disk. */
export type Raw = { id: string; _status: 'synced' | 'created' | 'updated' | 'deleted'; _changed: string } & Record<string, Cell>
export type Cell = string | number | boolean | null

/** What is unsynced of one table: rows by id, and ids of tombstones. */
export interface UnsyncedTable {
  readonly rows: ReadonlyMap<string, Raw>
  readonly deleted: ReadonlySet<string>
}
/** Table -> what is unsynced of it; each synced table of the schema is there. */
export type Unsynced = ReadonlyMap<string, UnsyncedTable>

/** The changes object that a push carries. */
export type Changes = Record<string, { created: Raw[]; updated: Raw[]; deleted: string[] }>

/** The tables that sync, parents before children: what the server knows and this app's schema has. */
export function syncedTables(database: Database): string[] {
  return TABLES.filter((table) => table in database.schema.tables)
}

/** Read what is unsynced. Call it inside a reader or a writer, where nobody edits meanwhile. Cost: two queries a table. */
export async function readUnsynced(database: Database): Promise<Unsynced> {
  const found = await Promise.all(syncedTables(database).map(async (table) => [table, await readTable(database, table)] as const))
  return new Map(found)
}

async function readTable(database: Database, table: string): Promise<UnsyncedTable> {
  const collection = database.get(table)
  const [raws, deleted] = await Promise.all([
    collection.query(Q.where('_status', Q.notEq('synced'))).unsafeFetchRaw() as Promise<object[]>,
    database.adapter.getDeletedRecords(table as never),
  ])
  return { rows: new Map(raws.map((raw) => [(raw as Raw).id, copied(collection, raw)])), deleted: new Set(deleted) }
}

/** SQLite gives flags as 0 and 1, and LokiJS gives the very object that the next edit changes. */
function copied(collection: Collection<Model>, raw: object): Raw {
  return sanitizedRaw(raw, collection.schema) as unknown as Raw
}

export function countUnsynced(unsynced: Unsynced): number {
  let count = 0
  for (const { rows, deleted } of unsynced.values()) count += rows.size + deleted.size
  return count
}

/** Leave out records by table and id. */
export function without(unsynced: Unsynced, left: ReadonlyMap<string, ReadonlySet<string>>): Unsynced {
  if (left.size === 0) return unsynced
  const kept = ([table, { rows, deleted }]: [string, UnsyncedTable]): [string, UnsyncedTable] => {
    const out = left.get(table) ?? new Set<string>()
    return [table, { rows: new Map([...rows].filter(([id]) => !out.has(id))), deleted: new Set([...deleted].filter((id) => !out.has(id))) }]
  }
  return new Map([...unsynced].map(kept))
}

/** Say whether two copies of a row hold the same, WatermelonDB's own columns aside. */
export function sameValues(left: Raw, right: Raw): boolean {
  return Object.keys(left).every((column) => column === '_status' || column === '_changed' || left[column] === right[column])
}

/** One push: what it carries, and the same by table and id. */
export interface Parcel {
  readonly changes: Changes
  readonly count: number
}

/** Where a cut comes at the latest: the server takes 10 000 records and 8 MiB at once. */
export interface CutAt {
  readonly records: number
  /** Characters of JSON, about. */
  readonly size: number
}

/** Cut what is unsynced into pushes, at least one, in the order in which they have to be sent. */
export function cut(unsynced: Unsynced, at: CutAt): Parcel[] {
  const parcels: { changes: Changes; count: number; size: number }[] = []
  const add = (table: string, list: 'created' | 'updated' | 'deleted', what: Raw | string): void => {
    const size = typeof what === 'string' ? what.length + 3 : JSON.stringify(what).length + 1
    let last = parcels[parcels.length - 1]
    if (!last || (last.count > 0 && (last.count >= at.records || last.size + size > at.size))) {
      parcels.push((last = { changes: emptyChanges(unsynced), count: 0, size: 0 }))
    }
    const lists = last.changes[table] ?? (last.changes[table] = { created: [], updated: [], deleted: [] })
    ;(lists[list] as (Raw | string)[]).push(what)
    last.count += 1
    last.size += size
  }
  for (const [table, { rows }] of unsynced) {
    for (const row of rows.values()) add(table, row._status === 'created' ? 'created' : 'updated', row)
  }
  for (const [table, { deleted }] of unsynced) for (const id of deleted) add(table, 'deleted', id)
  return parcels.length > 0 ? parcels : [{ changes: emptyChanges(unsynced), count: 0 }]
}

/** Only tables with something in them travel; `sync_issues` always does, which says that this app has an inbox. */
function emptyChanges(unsynced: Unsynced): Changes {
  return unsynced.has('sync_issues') ? { sync_issues: { created: [], updated: [], deleted: [] } } : {}
}
