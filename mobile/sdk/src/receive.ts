/**
 * What an answer does to the phone: rows written, tombstones dropped, sent rows made clean, and the cursor moved, in one write.
 *
 * Meanwhile somebody may have gone on working. Three copies of a row then meet: what was sent, what is here now, and the
 * server's. What was edited since is merged over the server's row, with what was sent as the base, and stays to be pushed. Where
 * that base is not known, or a person would have to decide, the answer is not used: `edited` asks to exchange again from the
 * same cursor, where the server knows the base.
 *
 * Owns: which rows an answer writes, and which of them are clean after it. Must not know: requests, how a policy decides.
 * Invariant: an edit that the server has not answered is still here after the write, to be pushed; a row is clean only if the
 * server holds it so (test/unit/receive.test.ts). A kill between two statements of the write leaves the old cursor, and the same
 * exchange again completes it (test/server/kill.test.ts).
 */
import type { Database, TableName } from '@nozbe/watermelondb'
import { sanitizedRaw } from '@nozbe/watermelondb/RawRecord'
import type { DirtyRaw, RawRecord } from '@nozbe/watermelondb/RawRecord'
import type { SyncConflictResolver, SyncDatabaseChangeSet } from '@nozbe/watermelondb/sync'
import { applyRemoteChanges, getLastPulledAt } from '@nozbe/watermelondb/sync/impl'
import { ensureSameDatabase } from '@nozbe/watermelondb/sync/impl/helpers'

import { POLICIES } from './generated/policies'
import { merge } from './merge'
import type { Row } from './merge'
import { settle, takeNote } from './note'
import type { Expected, Moved } from './note'
import { readUnsynced, sameValues } from './unsynced'
import type { Raw, Unsynced, UnsyncedTable } from './unsynced'
import type { ExchangeAnswer, RemoteRow, Verdict } from './wire'

/** What was asked, as far as the answer to it depends on that. */
export interface Asked {
  readonly cursor: number | null
  readonly sent: Unsynced
  /** Rows that cannot be pushed; whatever comes for them, they stay as they are here. */
  readonly stuck?: ReadonlyMap<string, ReadonlySet<string>>
  /** Of `database._resetCount`, to notice a reset. */
  readonly resetCount: number
  /** Saved with the cursor, if the schema was migrated. */
  readonly schemaVersion: number | null
}

/** `applied`, or `edited`: nothing was written; exchange again from the same cursor. */
export type Received = 'applied' | 'edited'

/** Another sync moved the cursor meanwhile; nothing was written. */
export class CursorMoved extends Error {
  constructor() {
    super('Another sync of this database came in between; nothing was applied.')
    this.name = 'CursorMoved'
  }
}

/**
 * Write an answer. Without a timestamp (a slice that is not the last, a device that is being emptied) the cursor stays.
 * `first`: a slice of a first sync, where an edit that was not sent can only be of a row that an earlier slice brought.
 * Throws CursorMoved, and what the database throws.
 */
export function receive(database: Database, asked: Asked, answer: ExchangeAnswer, { first = false } = {}): Promise<Received> {
  return database.write(async () => {
    ensureSameDatabase(database, asked.resetCount)
    if ((await getLastPulledAt(database)) !== asked.cursor) throw new CursorMoved()
    const plan = new Plan(database, asked, await readUnsynced(database), answer, first)
    if (!plan.make()) return 'edited'
    const moved: Moved = { from: asked.cursor, to: answer.timestamp ?? null, schemaVersion: asked.schemaVersion }
    await apply(database, plan, moved)
    await settle(database, moved)
    return 'applied'
  }, 'sync: receive')
}

/** Write what was planned. Until `settle`, a note says how to tell whether this was done. */
async function apply(database: Database, plan: Plan, moved: Moved): Promise<void> {
  for (const [table, ids] of plan.revived) await database.adapter.destroyDeletedRecords(table as never, ids)
  await takeNote(database, moved, plan.expected())
  await applyRemoteChanges(plan.changes as SyncDatabaseChangeSet, {
    db: database,
    sendCreatedAsUpdated: true,
    conflictResolver: plan.resolver,
    ...(plan.replaces ? { strategy: 'replacement' as const } : {}),
  })
}

const NOTHING: UnsyncedTable = { rows: new Map(), deleted: new Set() }
const TAKEN: ReadonlySet<Verdict['verdict']> = new Set(['accepted', 'duplicate'])

/** The write of one answer, planned while nobody can edit. */
class Plan {
  readonly changes: Record<string, { created: RemoteRow[]; updated: RemoteRow[]; deleted: string[] }> = {}
  /** Tombstones whose rows come back. */
  readonly revived = new Map<string, string[]>()
  readonly replaces: boolean
  private readonly resolved = new Map<string, Raw>()
  private readonly verdicts = new Map<string, Verdict>()

  constructor(
    private readonly database: Database,
    private readonly asked: Asked,
    private readonly now: Unsynced,
    private readonly answer: ExchangeAnswer,
    private readonly first: boolean,
  ) {
    this.replaces = answer.experimentalStrategy === 'replacement'
    for (const verdict of answer.verdicts ?? []) this.verdicts.set(keyOf(verdict.table, verdict.id), verdict)
  }

  /** Plan every table; false: an edit was made meanwhile that only the server can judge. */
  make(): boolean {
    const tables = new Set([...this.now.keys(), ...Object.keys(this.answer.changes ?? {})])
    return [...tables].every((table) => !(table in this.database.schema.tables) || this.plan(table))
  }

  private plan(table: string): boolean {
    const now = this.now.get(table) ?? NOTHING
    const sent = this.asked.sent.get(table) ?? NOTHING
    const said = this.answer.changes?.[table] ?? {}
    const incoming = new Map([...(said.created ?? []), ...(said.updated ?? [])].map((row) => [row.id, row]))
    const gone = new Set(said.deleted ?? [])
    if (!this.mayApply(table, now, sent, incoming, gone)) return false
    this.revive(table, sent, incoming)
    for (const [id, row] of this.taken(table, sent)) if (!incoming.has(id)) incoming.set(id, row)
    for (const id of this.done(table, sent)) gone.add(id)
    for (const [id, row] of now.rows) {
      const remote = incoming.get(id)
      const before = sent.rows.get(id)
      const stays = this.isStuck(table, id) || before === undefined || !sameValues(before, row)
      if (remote && !this.resolve(table, row, before, remote)) return false
      if (stays) gone.delete(id)
      if (stays && this.replaces && !remote) this.keep(table, row, incoming)
    }
    this.changes[table] = { created: [], updated: [...incoming.values()], deleted: [...gone] }
    return true
  }

  /** Whether the base of everything that meets is known. Of a row that was sent it is what was sent. */
  private mayApply(table: string, now: UnsyncedTable, sent: UnsyncedTable, incoming: Map<string, RemoteRow>, gone: Set<string>): boolean {
    const touched = (id: string): boolean => !this.isStuck(table, id) && (incoming.has(id) || gone.has(id))
    if (this.first) return true
    for (const [id, row] of now.rows) {
      if (sent.rows.has(id) || row._status === 'created') continue
      if (touched(id) || (this.replaces && !this.isStuck(table, id))) return false
    }
    return [...now.deleted].every((id) => sent.deleted.has(id) || !incoming.has(id))
  }

  /** Rows whose deletion was not taken come back: first their tombstones go, or WatermelonDB would keep them. */
  private revive(table: string, sent: UnsyncedTable, incoming: Map<string, RemoteRow>): void {
    const ids = [...sent.deleted].filter((id) => incoming.has(id))
    if (ids.length > 0) this.revived.set(table, ids)
  }

  /** The rows that the server took as they were sent, with what it has otherwise. */
  private *taken(table: string, sent: UnsyncedTable): Iterable<[string, RemoteRow]> {
    for (const [id, raw] of sent.rows) {
      const set = this.takenWith(table, id)
      if (set === null) continue
      const { _status, _changed, ...values } = raw
      yield [id, { ...values, ...set } as RemoteRow]
    }
  }

  private *done(table: string, sent: UnsyncedTable): Iterable<string> {
    for (const id of sent.deleted) if (this.takenWith(table, id) !== null) yield id
  }

  /** What the server has otherwise than it was sent; null: the record was not taken. A device being emptied hears no verdicts. */
  private takenWith(table: string, id: string): Record<string, unknown> | null {
    if (this.answer.verdicts === undefined && this.answer.timestamp === undefined && this.answer.changes === undefined) return {}
    const verdict = this.verdicts.get(keyOf(table, id))
    return verdict && TAKEN.has(verdict.verdict) ? (verdict.set ?? {}) : null
  }

  /** A replacement drops what it does not name: name what was edited since, as it is. */
  private keep(table: string, row: Raw, incoming: Map<string, RemoteRow>): void {
    const { _status, _changed, ...values } = row
    incoming.set(row.id, values as RemoteRow)
    this.resolved.set(keyOf(table, row.id), row)
  }

  /** Work out what becomes of a row that is dirty here; false: only the server can judge that. */
  private resolve(table: string, row: Raw, sent: Raw | undefined, remote: RemoteRow): boolean {
    const key = keyOf(table, row.id)
    if (this.isStuck(table, row.id) || sent === undefined) {
      this.resolved.set(key, row)
      return true
    }
    const clean = this.asRow(table, { ...row, ...remote })
    if (sameValues(sent, row)) {
      this.resolved.set(key, clean)
      return true
    }
    const merged = mergeSince(table, sent, clean, row)
    if (merged === null) return false
    this.resolved.set(key, merged)
    return true
  }

  /** A row of the server as WatermelonDB will keep it: without null where a column is not optional, and clean. */
  private asRow(table: string, values: object): Raw {
    const schema = this.database.get(table as TableName<never>).schema
    return sanitizedRaw({ ...values, _status: 'synced', _changed: '' }, schema) as unknown as Raw
  }

  /** The rows as they will be, one by one. */
  *expected(): Iterable<Expected> {
    for (const [table, { updated, deleted }] of Object.entries(this.changes)) {
      for (const row of updated) yield { table, id: row.id, row: this.resolved.get(keyOf(table, row.id)) ?? this.asRow(table, row) }
      for (const id of deleted) yield { table, id, row: null }
    }
  }

  private isStuck(table: string, id: string): boolean {
    return this.asked.stuck?.get(table)?.has(id) ?? false
  }

  readonly resolver: SyncConflictResolver = (table, local, _remote, proposed) => {
    const found = this.resolved.get(keyOf(table as unknown as string, (local as RawRecord).id))
    return found === undefined ? proposed : (found as unknown as DirtyRaw)
  }
}

/**
 * Merge what was edited since it was sent over the server's row. The moment of the edit stays the phone's: by it the server
 * dates what is pushed next. Null: a policy parks it, which is for the server to do.
 */
function mergeSince(table: string, sent: Raw, server: Raw, now: Raw): Raw | null {
  const columns = POLICIES.tables[table]?.columns ?? {}
  const changed = Object.keys(now).filter((c) => c !== 'id' && c !== '_status' && c !== '_changed' && now[c] !== sent[c])
  const { row, outcomes } = merge(sent as Row, server as Row, now as Row, changed, columns)
  if (outcomes.some((outcome) => outcome.parked !== null)) return null
  if (changed.includes('updated_at')) row['updated_at'] = now['updated_at'] ?? null
  const still = changed.filter((column) => row[column] !== server[column])
  const dirty = still.some((column) => column !== 'updated_at')
  return (dirty ? { ...row, id: now.id, _status: 'updated', _changed: still.join(',') } : server) as Raw
}

function keyOf(table: string, id: string): string {
  return `${table}/${id}`
}
