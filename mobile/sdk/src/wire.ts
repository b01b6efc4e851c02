/**
 * The exchange as it crosses the wire: docs/PROTOCOL.md, "Exchange".
 *
 * Owns: the shapes of request and answer, the name of a push. Must not know: the database, the network.
 * Invariant: the same edits at the same cursor have the same name, so that a repetition is known as one, after a restart of the
 * app too (test/unit/wire.test.ts).
 */
import { sha256 } from './sha256'
import type { Changes } from './unsynced'

export interface ExchangeRequest {
  push_id: string
  last_pulled_at: number | null
  schema_version: number
  migration: unknown
  changes: Changes
  sent_at: number
  budget_bytes?: number
  author?: string
}

/** What became of one record that was sent. */
export interface Verdict {
  table: string
  id: string
  verdict: 'accepted' | 'merged' | 'duplicate' | 'parked' | 'refused'
  /** The columns that the server has otherwise than they were sent. */
  set?: Record<string, unknown>
  issue?: string
  code?: string
  sentence?: string
  fields?: string[]
  outcomes?: Record<string, unknown>[]
}

export interface RemoteRow {
  id: string
  [column: string]: unknown
}
export type RemoteChanges = Record<string, { created?: RemoteRow[]; updated?: RemoteRow[]; deleted?: string[] }>

/** What is still to come of an answer in slices. */
export interface More {
  token: string
  rows: number
  bytes: number
}

/** An answer, or a slice of one: only the last slice has a timestamp. A device that is being emptied is answered `{}`. */
export interface ExchangeAnswer {
  verdicts?: Verdict[]
  changes?: RemoteChanges
  timestamp?: number
  experimentalStrategy?: 'replacement'
  more?: More
}

/** Name a push: 32 hex digits that follow from the cursor and what is sent. */
export function pushIdOf(cursor: number | null, changes: Changes, author = ''): string {
  return hex(sha256(JSON.stringify([cursor, changes, author]))).slice(0, 32)
}

function hex(words: ArrayLike<number>): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

/** Where the server points at a record of an exchange. */
const POINTER = /^\/changes\/([a-z_]+)\/(created|updated|deleted)\/(\d+)(?:\/|$)/

/** Name the record of `changes` that a problem's pointer is at; null: it points at none. */
export function pointedAt(pointer: unknown, changes: Changes): { table: string; id: string } | null {
  const [, table, list, place] = (typeof pointer === 'string' ? POINTER.exec(pointer) : null) ?? []
  if (table === undefined || list === undefined) return null
  const found = changes[table]?.[list as 'created' | 'updated' | 'deleted'][Number(place)]
  if (found === undefined) return null
  return { table, id: typeof found === 'string' ? found : found.id }
}

/** Count the rows and deletions of an answer. */
export function countRemote(changes: RemoteChanges | undefined): number {
  return Object.values(changes ?? {}).reduce(
    (count, lists) => count + (lists.created?.length ?? 0) + (lists.updated?.length ?? 0) + (lists.deleted?.length ?? 0),
    0,
  )
}
