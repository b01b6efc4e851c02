/**
 * Sends the files of the queue: which is next, when it is tried again, and what an error means for it.
 *
 * A file waits until its record is at the server. Without a network the whole queue rests; what the server says of one file
 * concerns that file only, and the others go on. What no repetition mends is kept as failed, with the reason, for a person.
 *
 * Owns: the turns and the waits. Must not know: how bytes are sent, what an error means, how an app shows them.
 * Invariant: a file leaves the queue only when the server has it or a person says so; nobody's file goes out under another's login;
 * after `stop`, and while the app is in the background or without a network, no timer is left (test/unit/attachments.test.ts).
 */
import { Q } from '@nozbe/watermelondb'
import type { Database } from '@nozbe/watermelondb'

import type { AttachQueue, Entry } from './attachqueue'
import type { Surroundings } from './auto'
import { boundOf } from './backoff'
import type { Backoff } from './backoff'
import { Cancelled, SyncError } from './errors'
import type { OpenFile } from './filebytes'
import type { Lock } from './lock'
import { throwLater } from './status'
import { ownerOf } from './tokens'
import type { Identity } from './tokens'
import type { Tus, Uploaded } from './tus'
import { Unfit, concernsAll, helpsAgain, reasonOf } from './uploadverdict'

export interface UploadOptions extends Surroundings {
  /** Opens a file by the name under which it was attached. */
  open: OpenFile
  /** Called when the server has a file; the app may delete it then. Called again if the app is killed over it. */
  onUploaded?: (done: { id: string; file: string }) => Promise<void> | void
  /** How many files are sent at a time; default 1. */
  atOnce?: number
  /** The first and the longest wait after a failure. Each is drawn between half a bound that doubles and the bound. */
  backoffMs?: Backoff
  random?: () => number
}

/** What is known of a file beside what is kept: gone with the app, and found out again. */
export interface About {
  uploading: boolean
  /** Bytes that the server has, as far as is known. */
  sent: number
  failures: number
  /** When it is tried again; 0: when its turn comes. */
  retryAt: number
  reason: { code: string; message: string } | null
}

interface Row {
  id: string
  _status: string
  state: string | null
}

/** Who uploads, and what they need for it. */
export interface Uploader {
  database: Database
  queue: AttachQueue
  tus: Tus
  lock: Lock
  /** Gives who is logged in, and lets requests go out for nobody else. */
  speakFor(): Promise<Identity | null>
  /** Something to be shown has changed. */
  changed(): void
}

const RECORD_MISSING = 'record_missing'
const MISSING = 'The record of this file is not on this phone: it was deleted, or refused. The inbox says why.'
/** Refusals that an hour, or an administrator, may have mended: tried again when the app starts. */
const AT_START: ReadonlySet<string> = new Set(['file_unreadable', 'not_found', 'forbidden', 'quota_reached'])

export class Uploads {
  private readonly abouts = new Map<string, About>()
  private readonly busy = new Set<string>()
  private readonly stops: (() => void)[] = []
  private abort = new AbortController()
  private running: Promise<void> | null = null
  private again = false
  private timer: ReturnType<typeof setTimeout> | null = null
  private started = false
  private online = true
  private active = true
  private failures = 0
  private restUntil = 0
  /** When the first of those that wait is due; 0: all that wait do so for something else than a time. */
  private dueAt = 0

  constructor(
    private readonly by: Uploader,
    private readonly options: UploadOptions,
  ) {}

  about(id: string): About {
    let about = this.abouts.get(id)
    if (!about) this.abouts.set(id, (about = { uploading: false, sent: 0, failures: 0, retryAt: 0, reason: null }))
    return about
  }

  // --- When ---

  /** Upload by itself from now on. */
  async start(): Promise<void> {
    if (this.started) return
    this.started = true
    const { onNetwork, onForeground } = this.options
    if (onNetwork) this.stops.push(onNetwork((online) => this.moved({ online })))
    if (onForeground) this.stops.push(onForeground((active) => this.moved({ active })))
    await this.by.queue.change(({ entries }) => {
      for (const entry of entries) if (entry.failed && AT_START.has(entry.failed.code)) delete entry.failed
    })
    this.wake()
  }

  /** Stop doing so, and call off what is under way: it goes on from there. */
  stop(): void {
    this.started = false
    for (const stop of this.stops.splice(0)) stop()
    this.rest()
  }

  /** Leave neither a request nor a timer. */
  rest(): void {
    this.clear()
    this.again = false
    this.abort.abort()
  }

  /** Something may have become possible. */
  wake(): void {
    if (this.started && this.online && this.active) void this.run()
  }

  /** Forget how long was to be waited. */
  hurry(): void {
    this.failures = this.restUntil = 0
    for (const about of this.abouts.values()) about.retryAt = 0
  }

  /** Upload what can be, until nothing is left that is due. What went wrong is said of each file. */
  run(): Promise<void> {
    this.again = true
    this.running ??= this.work().finally(() => {
      this.running = null
      this.plan()
    })
    return this.running
  }

  private moved({ online = this.online, active = this.active }): void {
    const could = this.online && this.active
    ;[this.online, this.active] = [online, active]
    if (could === (online && active)) return
    if (could) this.rest()
    else {
      this.hurry()
      this.wake()
    }
  }

  private plan(): void {
    this.clear()
    if (!this.started || !this.online || !this.active || this.dueAt === 0) return
    this.timer = setTimeout(() => this.wake(), Math.max(this.dueAt - Date.now(), 0) + 1)
  }

  private clear(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  // --- What ---

  private async work(): Promise<void> {
    while (this.again) {
      this.again = false
      const { signal } = (this.abort = new AbortController())
      const lanes = (): Promise<void[]> => Promise.all(Array.from({ length: this.options.atOnce ?? 1 }, () => this.lane(signal)))
      try {
        await this.by.lock.run('cotton.uploads', lanes, signal)
      } catch (error) {
        if (!(error instanceof Cancelled)) throw error
      }
    }
  }

  private async lane(signal: AbortSignal): Promise<void> {
    for (let found = await this.next(signal); found !== null; found = await this.next(signal)) {
      const { entry, row } = found
      await this.one(entry, row, signal).finally(() => this.busy.delete(entry.id))
    }
  }

  /** Choose the file that is due, and marked busy; of several the one that failed least often, then the oldest. */
  private async next(signal: AbortSignal): Promise<{ entry: Entry; row: Row | undefined } | null> {
    this.dueAt = 0
    const me = await this.by.speakFor()
    if (me === null) return null
    const { entries, rows, paused } = await this.settled(ownerOf(me))
    if (paused || signal.aborted) return null
    const now = Date.now()
    const ready = entries.filter(({ id, done, failed }) => {
      const canGo = done || (!failed && rows.has(id) && rows.get(id)?._status !== 'created')
      return canGo && !this.busy.has(id)
    })
    const dueAt = (entry: Entry): number => Math.max(this.about(entry.id).retryAt, this.restUntil)
    const [entry] = ready.filter((one) => dueAt(one) <= now).sort((one, other) => this.about(one.id).failures - this.about(other.id).failures)
    if (!entry) {
      this.dueAt = ready.length > 0 ? Math.min(...ready.map(dueAt)) : 0
      return null
    }
    this.busy.add(entry.id)
    return { entry, row: rows.get(entry.id) }
  }

  /** Read one user's entries and their records; what the app's end, a refusal or a deletion left between them is put right. */
  private settled(owner: string): Promise<{ entries: Entry[]; rows: Map<string, Row>; paused: boolean }> {
    return this.by.queue.change(async (kept) => {
      const mine = kept.entries.filter((entry) => entry.owner === owner)
      const rows = await this.rows(mine)
      for (const entry of mine) {
        if (rows.has(entry.id)) entry.made = true
        if (rows.has(entry.id) && entry.failed?.code === RECORD_MISSING) delete entry.failed
        if (!rows.has(entry.id) && !entry.done) entry.failed ??= { code: RECORD_MISSING, message: MISSING }
      }
      kept.entries = kept.entries.filter((entry) => entry.made || entry.owner !== owner)
      return { entries: mine.filter((entry) => entry.made), rows, paused: kept.paused }
    })
  }

  private async rows(entries: readonly Entry[]): Promise<Map<string, Row>> {
    if (entries.length === 0) return new Map()
    const ids = entries.map(({ id }) => id)
    const found = (await this.by.database.get('attachments').query(Q.where('id', Q.oneOf(ids))).unsafeFetchRaw()) as Row[]
    return new Map(found.map((row) => [row.id, row]))
  }

  // --- One file ---

  private async one(entry: Entry, row: Row | undefined, signal: AbortSignal): Promise<void> {
    const about = this.about(entry.id)
    about.uploading = true
    this.by.changed()
    try {
      const isThere = entry.done || row?.state === 'verified' || (await this.send(entry, about, signal)) === 'there'
      if (isThere) await this.finish(entry, about)
      else this.later(about, { code: 'checking', message: 'The server has all of it, and has still to look at it.' })
    } catch (error) {
      await this.failed(entry, about, error)
    } finally {
      about.uploading = false
      this.by.changed()
    }
  }

  private async send(entry: Entry, about: About, signal: AbortSignal): Promise<Uploaded> {
    const source = await this.options.open(entry.file)
    try {
      if (source.size !== entry.size) throw new Unfit('file_changed', 'The file is not as it was when it was attached.')
      const onSent = (bytes: number): void => {
        if (bytes > about.sent) this.failures = about.failures = 0
        about.sent = bytes
        this.by.changed()
      }
      return await this.by.tus.upload(entry.id, source, { signal, onSent })
    } finally {
      await source.close?.()
    }
  }

  /** What the app throws over it does not send the file again; it is told once more. */
  private async finish({ id, file }: Entry, about: About): Promise<void> {
    await this.by.queue.edit(id, (entry) => {
      delete entry.failed
      entry.done = true
    })
    this.by.changed()
    try {
      await this.options.onUploaded?.({ id, file })
    } catch (error) {
      this.later(about, null)
      throwLater(error)
      return
    }
    await this.by.queue.take(id)
    this.abouts.delete(id)
  }

  private async failed({ id }: Entry, about: About, error: unknown): Promise<void> {
    if (error instanceof Cancelled) return
    const reason = reasonOf(error)
    const waitMs = error instanceof SyncError ? (error.waitMs ?? 0) : 0
    if (concernsAll(error)) {
      this.restUntil = Date.now() + Math.max(waitMs, this.backoff(this.failures++))
    }
    if (helpsAgain(error)) this.later(about, reason, waitMs)
    else {
      about.reason = null
      await this.by.queue.edit(id, (entry) => {
        entry.failed = reason
      })
    }
  }

  private later(about: About, reason: About['reason'], waitMs = 0): void {
    about.reason = reason
    about.retryAt = Date.now() + Math.max(waitMs, this.backoff(about.failures++))
  }

  private backoff(failures: number): number {
    const { backoffMs = { first: 2000, longest: 300_000 }, random = Math.random } = this.options
    return boundOf(backoffMs, failures) * (0.5 + random() / 2)
  }
}
