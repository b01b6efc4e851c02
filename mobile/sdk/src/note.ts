/**
 * A note that is left before an answer is written, and taken away after the cursor was moved.
 *
 * WatermelonDB writes an answer's rows in one transaction and the cursor in another. An app that is killed in between has new
 * rows and an old cursor: what the user edits next would be pushed as if it had been made over the old rows, and a count would
 * be added up twice. The note holds a few rows as they were and as they will be; after a restart they tell whether the rows
 * were written, and then the cursor follows them.
 *
 * Owns: the note. Must not know: what an answer is. Invariant: rows and cursor are of the same moment before anything is sent
 * (test/server/kill.test.ts).
 */
import { Q } from '@nozbe/watermelondb'
import type { Collection, Database, Model } from '@nozbe/watermelondb'
import { sanitizedRaw } from '@nozbe/watermelondb/RawRecord'
import { getLastPulledAt, setLastPulledAt, setLastPulledSchemaVersion } from '@nozbe/watermelondb/sync/impl'

import type { Raw } from './unsynced'

/** Where the cursor goes. `to` null: nowhere yet. */
export interface Moved {
  from: number | null
  to: number | null
  schemaVersion: number | null
}
/** A row as it will be; null: it will be gone. */
export interface Expected {
  table: string
  id: string
  row: Raw | null
}

interface Probe extends Expected {
  before: Raw | null
}

const KEY = 'cotton.note'
const LOOKED_AT_MAX = 200
const PROBES_MAX = 16

/** Leave a note, unless no row will change. Call it inside the write. */
export async function takeNote(database: Database, moved: Moved, expected: Iterable<Expected>): Promise<void> {
  const looked: Expected[] = []
  for (const one of expected) if (looked.push(one) >= LOOKED_AT_MAX) break
  const before = await read(database, looked)
  const probes: Probe[] = looked.map((one) => ({ ...one, before: before.get(keyOf(one)) ?? null })).filter((one) => !same(one.before, one.row))
  if (probes.length > 0) await database.adapter.setLocal(KEY, JSON.stringify({ moved, probes: probes.slice(0, PROBES_MAX) }))
}

/** Move the cursor, and take the note away. Call it inside the write, after the rows. */
export async function settle(database: Database, moved: Moved): Promise<void> {
  if (moved.to !== null) {
    await setLastPulledAt(database, moved.to)
    if (moved.schemaVersion !== null) await setLastPulledSchemaVersion(database, moved.schemaVersion)
  }
  await database.adapter.removeLocal(KEY)
}

/**
 * After a kill: if the rows of the last answer were written and its cursor was not, move it. Call it inside a write, before
 * anything is read to be sent. */
export async function recover(database: Database): Promise<void> {
  const text = await database.adapter.getLocal(KEY)
  if (!text) return
  const { moved, probes } = JSON.parse(text) as { moved: Moved; probes: Probe[] }
  const done = (await getLastPulledAt(database)) === moved.from && written(probes, await read(database, probes))
  if (done) await settle(database, moved)
  else await database.adapter.removeLocal(KEY)
}

/** All were written or none: the first probe that nobody edited since decides. */
function written(probes: Probe[], now: Map<string, Raw>): boolean {
  for (const probe of probes) {
    const found = now.get(keyOf(probe)) ?? null
    if (same(found, probe.row)) return true
    if (same(found, probe.before)) return false
  }
  // Each was edited since: then the columns that were not edited tell.
  return probes.some((probe) => {
    const found = now.get(keyOf(probe))
    return found !== undefined && probe.row !== null && sameBut(found, probe.row) && !(probe.before !== null && sameBut(found, probe.before))
  })
}

function same(left: Raw | null, right: Raw | null): boolean {
  if (left === null || right === null) return left === right
  return Object.keys(left).every((column) => left[column] === right[column])
}

function sameBut(edited: Raw, other: Raw): boolean {
  const changed = new Set([...edited._changed.split(','), '_status', '_changed'])
  return Object.keys(edited).every((column) => changed.has(column) || edited[column] === other[column])
}

async function read(database: Database, which: readonly Expected[]): Promise<Map<string, Raw>> {
  const ids = new Map<string, string[]>()
  for (const { table, id } of which) ids.set(table, [...(ids.get(table) ?? []), id])
  const found = new Map<string, Raw>()
  for (const [table, wanted] of ids) {
    const collection: Collection<Model> = database.get(table)
    for (const raw of (await collection.query(Q.where('id', Q.oneOf(wanted))).unsafeFetchRaw()) as Raw[]) {
      found.set(keyOf({ table, id: raw.id }), sanitizedRaw(raw, collection.schema) as unknown as Raw)
    }
  }
  return found
}

function keyOf({ table, id }: { table: string; id: string }): string {
  return `${table}/${id}`
}
