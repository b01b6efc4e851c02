/**
 * One sync: what is unsynced is sent, what moved is received, until both sides hold the same.
 *
 * An answer is lost as easily as a request, so each step can be done again: a push is named by what it carries, and the cursor
 * moves only when all of an answer is written. An edit made meanwhile costs a second round at most, never the edit.
 *
 * Owns: the order of the steps, what is sent again, records that cannot be sent. Must not know: logins, timers, how rows are written.
 * Invariant: after `run` everything that was unsynced at its beginning is at the server, or in `stuck` with the reason
 * (test/server/cotton.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'
import type { MigrationSyncChanges } from '@nozbe/watermelondb/Schema/migrations/getSyncChanges'
import { getLastPulledAt, getMigrationInfo } from '@nozbe/watermelondb/sync/impl'

import type { PushCounter } from './counter'
import { NetworkError, SyncError } from './errors'
import { recover } from './note'
import { CursorMoved, receive } from './receive'
import type { Asked } from './receive'
import { Slices } from './slices'
import { countUnsynced, cut, readUnsynced, without } from './unsynced'
import type { CutAt, Parcel } from './unsynced'
import { countRemote, pointedAt, pushIdOf } from './wire'
import type { ExchangeAnswer, ExchangeRequest, More, Verdict } from './wire'

/** The part of the transport that is used. */
export interface Api {
  post<T>(path: string, body: unknown, options?: { signal?: AbortSignal; headers?: Record<string, string> }): Promise<T>
}

export interface ExchangeOptions {
  /** As of WatermelonDB's `synchronize`: migrations from this version on are told to the server. */
  migrationsEnabledAtVersion?: number
  /** Answers larger than this come in slices, so that little is lost with a connection; 0: never. */
  sliceBytes?: number
  /** How much is pushed in one request. */
  cutAt?: CutAt
  now?: () => number
}

/** How far a sync is. Totals are null as long as nobody knows them. */
export interface Progress {
  phase: 'pushing' | 'pulling'
  rows: number
  rowsTotal: number | null
  bytes: number
  bytesTotal: number | null
}

/** A record that the server cannot even read: it stays here, and the rest goes on without it. */
export interface Stuck {
  table: string
  id: string
  code: string
  detail: string
}

/** What a sync did. `requests`: how often the server was asked. */
export interface Synced {
  sent: number
  received: number
  requests: number
  verdicts: Verdict[]
  stuck: Stuck[]
  replaced: boolean
}

/** Ends a sync from outside; progress is told through it. */
export interface Course {
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

export const EXCHANGE = '/api/v1/sync/exchange'
const ROUNDS_MAX = 12
const STUCK_MAX = 100
const CUT_AT: CutAt = { records: 2000, size: 4_000_000 }
const TOO_LARGE: ReadonlySet<string> = new Set(['body_too_large', 'too_many_records'])

/** Somebody edited, again and again, just what was being received; try again later. */
export class TooBusy extends Error {
  constructor() {
    super('Records were edited again and again while they were synced; nothing is lost, sync again.')
    this.name = 'TooBusy'
  }
}

export class Exchange {
  private readonly slices: Slices

  constructor(
    private readonly database: Database,
    private readonly api: Api,
    private readonly counter: PushCounter,
    private readonly options: ExchangeOptions = {},
  ) {
    this.slices = new Slices(database)
  }

  /** Sync once. Throws what the API throws, CursorMoved and TooBusy; whatever is thrown, the next run goes on from here. */
  async run(course: Course = {}): Promise<Synced> {
    const run = new Run(this.database, this.api, this.counter, this.slices, this.options, course)
    for (let round = 0; round < ROUNDS_MAX; round += 1) if (await run.round()) return run.done
    throw new TooBusy()
  }
}

/** The state of one run. */
class Run {
  readonly done: Synced = { sent: 0, received: 0, requests: 0, verdicts: [], stuck: [], replaced: false }
  private cutAt: CutAt

  constructor(
    private readonly database: Database,
    private readonly api: Api,
    private readonly counter: PushCounter,
    private readonly slices: Slices,
    private readonly options: ExchangeOptions,
    private readonly course: Course,
  ) {
    this.cutAt = options.cutAt ?? CUT_AT
  }

  /** Do one round; true: nothing is left to do. */
  async round(): Promise<boolean> {
    await this.database.write(() => recover(this.database), 'sync: recover')
    if (await this.slices.begun()) return this.slice()
    const { asked, migration } = await this.look()
    const parcels = cut(asked.sent, this.cutAt)
    const answer = await this.push(asked, migration, parcels).catch((error: unknown) => this.mend(error))
    if (answer === null) return false
    if (answer.more) {
      await this.slices.begin(asked, answer)
      return this.slice()
    }
    return this.finish(asked, answer)
  }

  /** Read, in one moment, what is to be sent and from where. */
  private look(): Promise<{ asked: Asked; migration: MigrationSyncChanges }> {
    return this.database.read(async () => {
      const cursor = await getLastPulledAt(this.database)
      const info = await getMigrationInfo(this.database, undefined, cursor as number, this.options.migrationsEnabledAtVersion)
      const stuck = stuckByTable(this.done.stuck)
      const sent = without(await readUnsynced(this.database), stuck)
      const schemaVersion = info.shouldSaveSchemaVersion ? info.schemaVersion : null
      const resetCount = (this.database as unknown as { _resetCount: number })._resetCount
      return { asked: { cursor, sent, stuck, resetCount, schemaVersion }, migration: info.migration }
    }, 'sync: look')
  }

  /** Push the parcels one after the other, from the same cursor; the last answer is of everything that moved. */
  private async push(asked: Asked, migration: MigrationSyncChanges, parcels: readonly Parcel[]): Promise<ExchangeAnswer> {
    const verdicts: Verdict[] = []
    let left = countUnsynced(asked.sent)
    for (const [place, parcel] of parcels.entries()) {
      left -= parcel.count
      const last = place === parcels.length - 1
      const answer = await this.post(this.request(asked, migration, parcel, last), left + this.done.stuck.length)
      verdicts.push(...(answer.verdicts ?? []))
      if (last) return answer.verdicts === undefined ? answer : { ...answer, verdicts }
    }
    throw new Error('there is at least one parcel')
  }

  private request(asked: Asked, migration: MigrationSyncChanges, { changes }: Parcel, last: boolean): ExchangeRequest {
    const { sliceBytes = 0, now = Date.now } = this.options
    return {
      push_id: pushIdOf(asked.cursor, changes),
      last_pulled_at: asked.cursor,
      schema_version: this.database.schema.version,
      migration,
      changes,
      sent_at: now(),
      ...(last && sliceBytes > 0 ? { budget_bytes: sliceBytes } : {}),
    }
  }

  private async post(request: ExchangeRequest, pending: number): Promise<ExchangeAnswer> {
    const carries = Object.values(request.changes).some((c) => c.created.length + c.updated.length + c.deleted.length > 0)
    this.tell(carries ? 'pushing' : 'pulling', null)
    const headers: Record<string, string> = { 'cotton-pending': String(pending) }
    if (carries) headers['cotton-push-counter'] = String(await this.counter.numberOf(request.push_id))
    try {
      return await this.ask<ExchangeAnswer>(request, headers)
    } catch (error) {
      const found = error instanceof SyncError && error.status === 422 ? pointedAt(error.problem['pointer'], request.changes) : null
      throw found === null ? error : new Unreadable({ ...found, code: (error as SyncError).code, detail: (error as SyncError).detail })
    }
  }

  private ask<T>(body: unknown, headers: Record<string, string> = {}): Promise<T> {
    this.done.requests += 1
    return this.api.post<T>(EXCHANGE, body, { headers, ...(this.course.signal ? { signal: this.course.signal } : {}) })
  }

  /** What can be done about a failure by sending otherwise is done: null. Everything else is thrown on. */
  private mend(error: unknown): null {
    if (error instanceof Unreadable && this.done.stuck.length < STUCK_MAX) {
      this.done.stuck.push(error.stuck)
      return null
    }
    if (error instanceof SyncError && (error.status === 413 || TOO_LARGE.has(error.code)) && this.cutAt.records > 1) {
      this.cutAt = { records: Math.ceil(this.cutAt.records / 4), size: Math.ceil(this.cutAt.size / 4) }
      return null
    }
    throw error
  }

  private async finish(asked: Asked, answer: ExchangeAnswer): Promise<boolean> {
    const received = await receive(this.database, asked, answer)
    if (received === 'edited') return false
    this.note(asked, answer)
    // A device that is being emptied, or was replaced, has more to hear: what it was told next depends on its having come back.
    return answer.timestamp !== undefined && answer.experimentalStrategy === undefined
  }

  private note(asked: Asked, answer: ExchangeAnswer): void {
    this.done.sent += countUnsynced(asked.sent)
    this.done.received += countRemote(answer.changes)
    this.done.verdicts.push(...(answer.verdicts ?? []))
    this.done.replaced ||= answer.experimentalStrategy === 'replacement'
    this.tell('pulling', null)
  }

  /** Fetch the slices that are still to come, then write them; a slice that is gone means to begin anew. */
  private async slice(): Promise<boolean> {
    const { slices } = this
    for (let more = await slices.next(); more !== null; more = await slices.next()) {
      this.tell('pulling', more)
      const token = more.token
      const answer = await this.ask<ExchangeAnswer>({ more: token }).catch((error: unknown) => {
        if (error instanceof SyncError && (error.status === 410 || error.status === 404)) return null
        throw error
      })
      if (answer === null) {
        await slices.drop()
        return false
      }
      await slices.take(token, answer)
    }
    const written = await slices.write()
    if (written === null) return false
    this.note(written.asked, { ...written.answer, changes: {} })
    this.done.received += written.rows
    return true
  }

  private tell(phase: Progress['phase'], more: More | null): void {
    const { rows, bytes } = this.slices.arrived
    const totals = more === null ? { rowsTotal: null, bytesTotal: null } : { rowsTotal: rows + more.rows, bytesTotal: bytes + more.bytes }
    this.course.onProgress?.({ phase, rows: rows + this.done.received, bytes, ...totals })
  }
}

/** The server could not read one record of a push. */
class Unreadable extends Error {
  constructor(readonly stuck: Stuck) {
    super(stuck.detail)
  }
}

function stuckByTable(stuck: readonly Stuck[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const { table, id } of stuck) found.set(table, (found.get(table) ?? new Set()).add(id))
  return found
}

export { CursorMoved, NetworkError }
