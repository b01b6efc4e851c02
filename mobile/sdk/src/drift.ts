/**
 * Drift: whether this phone holds what the server thinks it holds, and the repair of the rows that differ.
 *
 * The check reads the tables in pieces and lets others run between them; it takes no lock. A row that is edited meanwhile was
 * hashed as it was synced, which is what the server compares with; a sync or a deletion meanwhile makes the check start again.
 * The repair looks again, inside one write: a row with unsynced edits is never touched, and nothing is done if a sync came by.
 *
 * Owns: the question, and which rows are written and destroyed. Must not know: how requests are sent.
 * Invariant: after a repair a check finds nothing, and no unsynced edit is lost (test/server/drift.test.ts).
 */
import { Q } from '@nozbe/watermelondb'
import type { Collection, Database, Model } from '@nozbe/watermelondb'
import { sanitizedRaw } from '@nozbe/watermelondb/RawRecord'
import type { SyncTableChangeSet } from '@nozbe/watermelondb/sync'
import { applyRemoteChanges, getLastPulledAt } from '@nozbe/watermelondb/sync/impl'

import { Tally, bucketOf, bucketsFor } from './digest'
import type { Raw } from './digest'

/** The part of the transport that is used. */
export interface Api {
  post<T>(path: string, body: unknown): Promise<T>
}

/** What differs of a table; `count`: how many buckets there were. */
export interface TableDrift {
  buckets: number[]
  rows: ({ id: string } & Record<string, unknown>)[]
  count: number
}
/** `more`: other buckets differ, too; repair, and check again. */
export interface Drift {
  cursor: number
  tables: Record<string, TableDrift>
  more: boolean
}

export interface DriftOptions {
  /** Default: all tables of the schema. */
  tables?: string[]
  /** Rows read and hashed in one go; 250 keep a slow phone busy for some 20 ms. */
  piece?: number
}

const VERIFY = '/api/v1/sync/verify'
const ATTEMPTS_MAX = 3
const ROUNDS_MAX = 50

interface Held {
  tallies: Record<string, Tally>
  without: Record<string, string[]>
}

/**
 * Ask whether this phone has what it should. Throws what `api` throws: `behind` (409) means to sync first. Null: there is nothing
 * to compare, because nothing was pulled yet, or syncs and deletions came in between each time.
 */
export async function checkDrift(database: Database, api: Api, options: DriftOptions = {}): Promise<Drift | null> {
  const tables = options.tables ?? Object.keys(database.schema.tables)
  let expected: Record<string, number> = {}
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const cursor = await getLastPulledAt(database)
    if (cursor === null) return null
    const held = await readHeld(database, tables, expected, options.piece ?? 250)
    if (held === null || (await getLastPulledAt(database)) !== cursor) continue
    try {
      return await ask(database, api, cursor, held)
    } catch (error) {
      const { code, problem } = error as { code?: unknown; problem?: { rows?: Record<string, number> } }
      if (code !== 'too_different' || attempt === ATTEMPTS_MAX - 1) throw error
      expected = problem?.rows ?? {} // smaller buckets, by how many rows the server has
    }
  }
  return null
}

async function ask(database: Database, api: Api, cursor: number, { tallies, without }: Held): Promise<Drift> {
  const said = Object.entries(tallies).map(([table, tally]) => [table, { rows: tally.rows, digests: tally.digests() }])
  const answer = await api.post<{ tables: Record<string, Omit<TableDrift, 'count'>>; more: boolean }>(VERIFY, {
    last_pulled_at: cursor,
    schema_version: database.schema.version,
    tables: Object.fromEntries(said),
    without,
  })
  const found = Object.entries(answer.tables).map(([table, drift]) => [table, { ...drift, count: tallies[table]?.count ?? 1 }])
  return { cursor, tables: Object.fromEntries(found), more: answer.more }
}

/** Hash all tables; null if rows were deleted meanwhile. */
async function readHeld(database: Database, tables: string[], expected: Record<string, number>, piece: number): Promise<Held | null> {
  const held: Held = { tallies: {}, without: {} }
  for (const table of tables) {
    const collection = database.get(table)
    const deleted = await database.adapter.getDeletedRecords(table)
    const ids = await collection.query().fetchIds()
    const tally = new Tally(collection.schema, bucketsFor(Math.max(ids.length, expected[table] ?? 0)))
    const unsynced: string[] = []
    for (let start = 0; start < ids.length; start += piece) {
      for (const raw of await readRaws(collection, ids.slice(start, start + piece))) {
        if (raw._status === 'synced') tally.add(raw)
        else unsynced.push(raw.id)
      }
      await breathe()
    }
    const after = await database.adapter.getDeletedRecords(table)
    if (after.length !== deleted.length || after.some((id) => !deleted.includes(id))) return null
    held.tallies[table] = tally
    if (unsynced.length + deleted.length > 0) held.without[table] = [...unsynced, ...deleted]
  }
  return held
}

/** Read rows past WatermelonDB's cache, which would otherwise grow to the whole table. */
async function readRaws(collection: Collection<Model>, ids: string[]): Promise<Raw[]> {
  const found = (await collection.query(Q.where('id', Q.oneOf(ids))).unsafeFetchRaw()) as object[]
  return found.map((raw) => sanitizedRaw(raw, collection.schema) as unknown as Raw)
}

function breathe(): Promise<void> {
  return new Promise((done) => setTimeout(done, 0))
}

/** What a repair did: ids by table. */
export interface Repaired {
  written: Record<string, string[]>
  destroyed: Record<string, string[]>
}

/** Write what differs, in one write. Null: a sync came by since the check, so that its answer is old; check again. */
export async function repair(database: Database, drift: Drift): Promise<Repaired | null> {
  return database.write(async () => {
    if ((await getLastPulledAt(database)) !== drift.cursor) return null
    const done: Repaired = { written: {}, destroyed: {} }
    const changes: Record<string, SyncTableChangeSet> = {}
    for (const [table, found] of Object.entries(drift.tables)) {
      const collection = database.get(table)
      const touchable = await synced(database, collection, found)
      const wanted = new Set(found.rows.map((row) => row.id))
      const updated = found.rows.filter((row) => touchable(row.id))
      const deleted = (await idsOf(collection, found)).filter((id) => !wanted.has(id) && touchable(id))
      changes[table] = { created: [], updated, deleted }
      done.written[table] = updated.map((row) => row.id)
      done.destroyed[table] = deleted
    }
    await applyRemoteChanges(changes, { db: database, sendCreatedAsUpdated: true })
    return done
  }, 'repair of drift')
}

/** Say of an id whether it may be written: it is not here, or here without unsynced edits. */
async function synced(database: Database, collection: Collection<Model>, found: TableDrift): Promise<(id: string) => boolean> {
  const edited = new Set(await collection.query(Q.where('_status', Q.notEq('synced'))).fetchIds())
  const buckets = new Set(found.buckets)
  for (const id of await database.adapter.getDeletedRecords(collection.table as never)) edited.add(id)
  return (id) => !edited.has(id) && buckets.has(bucketOf(id, found.count))
}

async function idsOf(collection: Collection<Model>, { buckets, count }: TableDrift): Promise<string[]> {
  const named = new Set(buckets)
  return (await collection.query().fetchIds()).filter((id) => named.has(bucketOf(id, count)))
}

/** Check and repair until nothing differs. Gives how many rows were written or destroyed. */
export async function heal(database: Database, api: Api, options: DriftOptions = {}): Promise<number> {
  let touched = 0
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const drift = await checkDrift(database, api, options)
    if (drift === null || Object.keys(drift.tables).length === 0) return touched
    const done = await repair(database, drift)
    for (const ids of [...Object.values(done?.written ?? {}), ...Object.values(done?.destroyed ?? {})]) touched += ids.length
  }
  return touched
}
