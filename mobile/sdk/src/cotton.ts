/**
 * The SDK's front: one object that logs in, syncs, says how that goes, and helps with what needs a person.
 *
 * ```ts
 * const cotton = new CottonSync({ url, database })
 * await cotton.session.login({ username, password })
 * cotton.start()
 * ```
 *
 * Owns: when one sync may run, whose database it is, and what an error means to the app. Must not know: how an exchange goes.
 * Invariant: one sync of a database at a time; no row of one user is ever pushed as another's (test/server/cotton.test.ts,
 * test/server/hands.test.ts).
 */
import { Q } from '@nozbe/watermelondb'
import type { Database } from '@nozbe/watermelondb'
import { getLastPulledAt } from '@nozbe/watermelondb/sync/impl'

import { Account } from './account'
import { Attachments } from './attachments'
import type { AttachmentsOptions } from './attachments'
import { Auto } from './auto'
import type { AutoOptions, Ended } from './auto'
import { PushCounter } from './counter'
import { checkDrift, heal } from './drift'
import type { Drift } from './drift'
import { emptyTables, forgetCursor } from './emptying'
import { Cancelled, LoginNeeded, NetworkError, SyncError } from './errors'
import { Exchange, TooBusy } from './exchange'
import type { ExchangeOptions, Synced } from './exchange'
import { handOver } from './handover'
import { Inbox } from './inbox'
import { lock as defaultLock } from './lock'
import { Numbers } from './numbers'
import { CursorMoved } from './receive'
import { Session } from './session'
import type { SessionOptions } from './session'
import { Speaker } from './speaker'
import { Status } from './status'
import type { SyncStatus, Unsubscribe } from './status'
import { stockSync } from './stock'
import { localStore } from './storage'
import { SyncLog } from './synclog'
import type { SyncLogEntry } from './synclog'
import { ownerOf } from './tokens'
import { Transport } from './transport'
import { countUnsynced, readUnsynced, syncedTables } from './unsynced'

export interface CottonSyncConfig extends Omit<SessionOptions, 'store'>, ExchangeOptions {
  database: Database
  /** Where tokens are kept: give the platform's keychain. Default: in the database. */
  store?: SessionOptions['store']
  auto?: AutoOptions
  /** How the app's files are read, so that they can be attached. */
  attachments?: AttachmentsOptions
}

/** Whether a user may log out, and the phone be given away, without losing anything. */
export interface SafeToLogout {
  safe: boolean
  pending: number
  parked: number
  /** Attached files that the server has not got. */
  uploads: number
}

const OWNER = 'cotton.owner'
const LAST = 'cotton.last_synced_at'
const COUNT_AFTER_MS = 100
const SLICE_BYTES = 512 * 1024

export class CottonSync {
  readonly session: Session
  readonly inbox: Inbox
  /** Numbers for documents that are made offline. */
  readonly numbers: Numbers
  /** How one is told outside of the app, and what one agrees to. */
  readonly account: Account
  /** Photos and papers, attached and sent. */
  readonly attachments: Attachments
  private readonly database: Database
  private readonly speaker: Speaker
  private readonly transport: Transport
  private readonly exchange: Exchange
  private readonly journal: SyncLog
  private readonly state = new Status()
  private readonly auto: Auto
  private stock = false
  private running: Promise<Synced> | null = null
  private queued: Promise<Synced> | null = null
  private abort: AbortController | null = null
  private unwatch: Unsubscribe | null = null
  private counting: ReturnType<typeof setTimeout> | null = null

  constructor(private readonly config: CottonSyncConfig) {
    const { database, store = localStore(database) } = config
    const device = { schema_version: database.schema.version, ...config.device }
    this.database = database
    this.session = new Session({ ...config, store, device })
    this.speaker = new Speaker(this.session)
    this.transport = new Transport({ ...config, authorizer: this.speaker })
    const options = { migrationsEnabledAtVersion: 1, sliceBytes: SLICE_BYTES, ...config }
    this.exchange = new Exchange(database, this.transport, new PushCounter(store), options)
    this.inbox = new Inbox(database)
    this.numbers = new Numbers(database, this.transport)
    this.account = new Account(this.transport)
    this.attachments = new Attachments(database, this.session, config)
    this.journal = new SyncLog(database)
    this.auto = new Auto(database, () => this.quietly(), config.auto, (retryAt, online) => this.surroundings(retryAt, online))
  }

  // --- Status ---

  get status(): SyncStatus {
    return this.state.value
  }

  /** Hear of the status: of now at once, then of each change. */
  subscribe(listener: (status: SyncStatus) => void): Unsubscribe {
    return this.state.subscribe(listener)
  }

  /** What the last fifty syncs did, oldest first, for support. */
  log(): Promise<SyncLogEntry[]> {
    return this.journal.read()
  }

  /** Whether logging out loses nothing: everything is at the server, and nothing waits for this person. */
  async safeToLogout(): Promise<SafeToLogout> {
    await this.count()
    const { pending, parked } = this.status
    const uploads = (await this.attachments.items()).filter(({ state }) => state !== 'done').length
    return { safe: pending === 0 && uploads === 0, pending, parked, uploads }
  }

  // --- Syncing ---

  /** Sync by itself from now on: after edits, now and then, and when the network or the app comes back. */
  start(): void {
    this.unwatch ??= this.database.experimentalSubscribe(syncedTables(this.database) as never, () => this.countSoon())
    this.auto.start()
    this.attachments.start()
    this.countSoon()
  }

  /** Stop doing so, and call off a sync that is under way: nothing is lost, the next goes on from there. */
  stop(): void {
    this.auto.stop()
    this.attachments.stop()
    this.cancel()
    this.unwatch?.()
    this.unwatch = null
    if (this.counting !== null) clearTimeout(this.counting)
    this.counting = null
  }

  /** Call off a sync that is under way. */
  cancel(): void {
    this.abort?.abort()
  }

  /**
   * Sync now. While one is running, the next begins after it, and is the same for all who ask meanwhile.
   * Throws NetworkError, LoginNeeded, SyncError, Cancelled; what is unsynced stays to be synced.
   */
  sync(): Promise<Synced> {
    if (this.running === null) return this.begin()
    this.queued ??= this.running
      .catch(() => undefined)
      .then(() => {
        this.queued = null
        return this.begin()
      })
    return this.queued
  }

  private begin(): Promise<Synced> {
    const running = this.once().finally(() => {
      if (this.running === running) this.running = null
    })
    this.running = running
    return running
  }

  private async once(): Promise<Synced> {
    const abort = (this.abort = new AbortController())
    const name = `cotton.sync.${(this.database.adapter as unknown as { dbName?: string }).dbName ?? ''}`
    const at = Date.now()
    const cursor = await getLastPulledAt(this.database)
    try {
      const done = await (this.config.lock ?? defaultLock).run(name, () => this.work(abort.signal), abort.signal)
      await this.succeeded(at, cursor, done)
      return done
    } catch (error) {
      await this.failed(at, cursor, error)
      throw error
    } finally {
      if (this.abort === abort) this.abort = null
    }
  }

  private async work(signal: AbortSignal): Promise<Synced> {
    this.state.change({ phase: 'pulling', error: null })
    await this.own(signal)
    const course = { signal, onProgress: ({ phase, ...progress }: { phase: 'pulling' | 'pushing' } & NonNullable<SyncStatus['progress']>) => this.state.change({ phase, progress }) }
    try {
      return await (this.stock ? this.byStock(signal) : this.exchange.run(course))
    } catch (error) {
      if (!this.stock && hasNoExchange(error)) {
        this.stock = true
        return this.byStock(signal)
      }
      if (codeOf(error) === 'device_wiped') await this.emptied()
      throw error
    }
  }

  private async byStock(signal: AbortSignal): Promise<Synced> {
    const sent = await this.database.read(async () => countUnsynced(await readUnsynced(this.database)))
    await stockSync(this.database, this.transport, { migrationsEnabledAtVersion: this.config.migrationsEnabledAtVersion ?? 1, signal })
    return { sent, received: 0, requests: 2, verdicts: [], stuck: [], replaced: false }
  }

  /** See to it that the database is the user's own: what another left here is handed over, then the phone begins anew. */
  private async own(signal: AbortSignal): Promise<void> {
    const identity = await this.session.identity()
    if (identity === null) throw new LoginNeeded('not_logged_in')
    this.speaker.person = identity
    const { adapter } = this.database
    const me = ownerOf(identity)
    const owner = await adapter.getLocal(OWNER)
    if (owner === me) return
    if (owner) {
      await handOver(this.database, this.transport, owner, me, signal)
      await emptyTables(this.database)
      await forgetCursor(this.database)
    }
    await adapter.setLocal(OWNER, me)
  }

  /** By order of an administrator everything is gone already; the installation forgets who it was. */
  private async emptied(): Promise<void> {
    await emptyTables(this.database)
    await forgetCursor(this.database)
    await this.attachments.forget()
    await this.database.adapter.removeLocal(OWNER)
  }

  // --- What became of it ---

  private async succeeded(at: number, cursor: number | null, done: Synced): Promise<void> {
    const verdicts: Record<string, number> = {}
    for (const { verdict } of done.verdicts) verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
    const { sent, received, requests, stuck } = done
    const now = Date.now()
    await this.journal.add({ at, ms: now - at, cursor, sent, received, requests, verdicts, stuck: stuck.length })
    await this.database.adapter.setLocal(LAST, String(now))
    this.state.change({ phase: 'idle', progress: null, error: null, lastSyncedAt: now, stuck })
    this.attachments.synced()
    await this.count()
  }

  private async failed(at: number, cursor: number | null, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error)
    const code = codeOf(error)
    const request = error instanceof SyncError ? error.problem['correlation_id'] : undefined
    const told = { code, message, ...(typeof request === 'string' ? { request } : {}) }
    await this.journal.add({ at, ms: Date.now() - at, cursor, sent: 0, received: 0, requests: 0, verdicts: {}, stuck: 0, error: told })
    const phase = error instanceof NetworkError ? 'offline' : error instanceof Cancelled ? 'idle' : 'error'
    this.state.change({ phase, progress: null, error: phase === 'idle' ? null : { code, message, retryAt: null } })
    await this.count()
  }

  /** A sync that nobody asked for throws nothing: the status says how it ended. */
  private async quietly(): Promise<Ended> {
    try {
      await this.sync()
      return { ok: true, again: true }
    } catch (error) {
      const waitMs = error instanceof SyncError ? error.waitMs : null
      return { ok: false, again: helpsAgain(error), ...(waitMs === null ? {} : { waitMs }) }
    }
  }

  private surroundings(retryAt: number | null, online: boolean): void {
    const { error, phase } = this.status
    if (error !== null && retryAt !== null) this.state.change({ error: { ...error, retryAt } })
    if (!online) this.state.change({ phase: 'offline' })
    else if (phase === 'offline' && error === null) this.state.change({ phase: 'idle' })
  }

  private countSoon(): void {
    if (this.counting !== null) return
    this.counting = setTimeout(() => {
      this.counting = null
      void this.count()
    }, COUNT_AFTER_MS)
  }

  private async count(): Promise<void> {
    const { database } = this
    const [pending, parked, last] = await Promise.all([
      database.read(async () => countUnsynced(await readUnsynced(database)), 'sync: count'),
      'sync_issues' in database.schema.tables ? database.get('sync_issues').query(Q.where('state', 'open')).fetchCount() : 0,
      database.adapter.getLocal(LAST),
    ])
    this.state.change({ pending, parked, lastSyncedAt: last ? Number(last) : null })
  }

  // --- Drift ---

  /** Ask whether this phone holds what it should, without changing anything; null: it cannot be said now. */
  checkDrift(): Promise<Drift | null> {
    return checkDrift(this.database, this.transport)
  }

  /** Sync, then repair what differs from what the server says; gives how many rows were wrong. */
  async heal(): Promise<number> {
    await this.sync()
    return heal(this.database, this.transport)
  }
}

/** The stable name of what went wrong. */
function codeOf(error: unknown): string {
  if (error instanceof SyncError || error instanceof LoginNeeded) return error.code
  return error instanceof Error ? error.name : 'unknown'
}

/** Whether this server, and not a proxy or a Wi-Fi's login page, says that it knows no exchange. */
function hasNoExchange(error: unknown): boolean {
  return error instanceof SyncError && (error.status === 404 || error.status === 405) && error.code !== 'http_error'
}

/** Whether the same sync may succeed a little later, with nobody doing anything. */
function helpsAgain(error: unknown): boolean {
  if (error instanceof NetworkError || error instanceof TooBusy || error instanceof CursorMoved) return true
  return error instanceof SyncError && (error.status >= 500 || error.status === 429 || error.status === 425)
}
