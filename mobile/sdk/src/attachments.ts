/**
 * Photos and papers: attached without a signal, sent when there is one.
 *
 * ```ts
 * const id = await cotton.attachments.add({ file: photo.uri, inspectionId: inspection.id, capturedAt: new Date() })
 * cotton.attachments.subscribe((items) => items.forEach(({ file, state, sent, size, reason }) => …))
 * ```
 *
 * The record syncs like any other; the bytes follow, in parts, by tus. What was attached stays in the queue until the server has
 * all of it, whenever the app ends; docs/PROTOCOL.md, "Attachments", says the rest.
 *
 * Owns: attaching, and what an app is shown. Must not know: how and when bytes are sent.
 * Invariant: once `add` has returned, the record and its place in the queue are on disk; before, neither counts
 * (test/unit/attachments.test.ts, test/server/attachments.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'

import { AttachmentError, checkSize, columnsOf, noFiles } from './attaching'
import type { NewAttachment } from './attaching'
import { AttachQueue } from './attachqueue'
import type { Entry } from './attachqueue'
import { randomId } from './devicekey'
import { LoginNeeded } from './errors'
import { writeRaw } from './fields'
import { hashOf, platformDigest, typeOf } from './filebytes'
import type { Digest } from './filebytes'
import { lock as defaultLock } from './lock'
import type { Lock } from './lock'
import type { Session } from './session'
import { Speaker } from './speaker'
import { throwLater } from './status'
import type { Unsubscribe } from './status'
import { ownerOf } from './tokens'
import { Transport } from './transport'
import type { TransportOptions } from './transport'
import { Tus } from './tus'
import { Uploads } from './uploads'
import type { UploadOptions } from './uploads'

export interface AttachmentsOptions extends UploadOptions {
  /** SHA-256 of a few bytes: the platform's own, which is quicker than plain code. Default: Web Crypto, where there is one. */
  digest?: Digest
}

export interface AttachmentsConfig extends Omit<TransportOptions, 'authorizer'> {
  attachments?: AttachmentsOptions
  auto?: Pick<UploadOptions, 'onNetwork' | 'onForeground'>
  lock?: Lock
}

/** What becomes of an attached file. `waiting`: for its record's sync, its turn or the network; `failed`: until `retry` or `remove`. */
export interface AttachmentItem {
  id: string
  file: string
  state: 'waiting' | 'uploading' | 'done' | 'failed'
  /** Bytes that the server has, and all of them. */
  sent: number
  size: number
  /** Why it failed or has to wait: a stable code, and a sentence. */
  reason: { code: string; message: string } | null
  /** When it is tried again, in milliseconds since 1970; null: when its turn comes. */
  retryAt: number | null
}

export class Attachments {
  private readonly queue: AttachQueue
  private readonly uploads: Uploads
  private readonly speaker: Speaker
  private readonly digest: Digest | null
  private readonly listeners = new Set<(items: AttachmentItem[]) => void>()
  private telling: Promise<void> | null = null
  private stale = false

  constructor(
    private readonly database: Database,
    private readonly session: Session,
    private readonly config: AttachmentsConfig,
  ) {
    const { attachments, auto = {}, lock = defaultLock } = config
    this.queue = new AttachQueue(database, lock)
    this.speaker = new Speaker(session)
    this.digest = attachments?.digest ?? platformDigest()
    const tus = new Tus(new Transport({ ...config, authorizer: this.speaker }), this.digest)
    const by = { database, queue: this.queue, tus, lock, speakFor: () => this.speakFor(), changed: () => this.tell() }
    this.uploads = new Uploads(by, { ...auto, open: () => Promise.reject(noFiles()), ...attachments })
  }

  /**
   * Attach a file: read it once, make its record, queue its upload; offline, too. Gives the record's id. Not inside `database.write`.
   * Throws AttachmentError, LoginNeeded, and what `open` throws; then nothing was attached.
   */
  async add(attaching: NewAttachment): Promise<string> {
    const { attachments } = this.config
    if (!attachments) throw noFiles()
    const identity = await this.session.identity()
    if (identity === null) throw new LoginNeeded('not_logged_in')
    const owner = ownerOf(identity)
    const columns = columnsOf(attaching)
    const source = await attachments.open(attaching.file)
    try {
      checkSize(source.size)
      const mediaType = await typeOf(source)
      if (mediaType === null) throw new AttachmentError('wrong_type', 'Only JPEG, PNG, WebP and PDF files can be attached.')
      const entry: Entry = { id: randomId(), file: attaching.file, size: source.size, owner, made: false }
      await this.keep(entry, { ...columns, media_type: mediaType, sha256: await hashOf(source, this.digest), size_bytes: source.size })
      return entry.id
    } finally {
      await source.close?.()
      this.tell()
      this.uploads.wake()
    }
  }

  /** What is in the queue of whoever is logged in, oldest first. */
  async items(): Promise<AttachmentItem[]> {
    const me = await this.session.identity()
    const { entries } = await this.queue.read()
    return me === null ? [] : entries.filter((one) => one.owner === ownerOf(me)).map((one) => this.itemOf(one))
  }

  /** Hear what is in the queue: now, and after each change. */
  subscribe(listener: (items: AttachmentItem[]) => void): Unsubscribe {
    this.listeners.add(listener)
    this.tell()
    return () => this.listeners.delete(listener)
  }

  /** Upload now what can be; it ends when nothing is left that is due. What went wrong is in `items`. For background tasks, too. */
  async upload(): Promise<void> {
    this.uploads.hurry()
    await this.uploads.run()
  }

  /** Send nothing until `resume`, also after the app's next start. */
  async pause(): Promise<void> {
    await this.queue.change((kept) => void (kept.paused = true))
    this.uploads.rest()
  }

  async resume(): Promise<void> {
    await this.queue.change((kept) => void (kept.paused = false))
    this.uploads.hurry()
    this.uploads.wake()
  }

  /** Try a file again that has failed. */
  async retry(id: string): Promise<void> {
    await this.queue.edit(id, (entry) => void delete entry.failed)
    Object.assign(this.uploads.about(id), { failures: 0, retryAt: 0, reason: null })
    this.tell()
    this.uploads.wake()
  }

  /** Give a file up: it leaves the queue, and its record is deleted. */
  async remove(id: string): Promise<void> {
    await this.queue.take(id)
    await this.database.write(async () => {
      const record = await this.database.get('attachments').find(id).catch(() => null)
      await record?.markAsDeleted()
    }, 'attachments: remove')
    this.tell()
  }

  // --- For CottonSync ---

  start(): void {
    void this.uploads.start()
  }

  stop(): void {
    this.uploads.stop()
  }

  /** A sync has gone well: records may be at the server now. */
  synced(): void {
    this.uploads.wake()
  }

  /** Forget all files, whoever attached them. */
  async forget(): Promise<void> {
    this.uploads.rest()
    await this.queue.change((kept) => void (kept.entries = []))
    this.tell()
  }

  // --- Within ---

  /** The place in the queue is kept before the record is made, so that no record is ever left without its file. */
  private keep(entry: Entry, columns: Record<string, string | number>): Promise<void> {
    return this.queue.change(async (kept, keep) => {
      kept.entries.push(entry)
      await keep()
      try {
        await this.database.write(async () => {
          await this.database.get('attachments').create((record) => {
            record._raw.id = entry.id
            for (const [column, value] of Object.entries(columns)) writeRaw(record, column, value)
          })
        }, 'attachments: add')
        entry.made = true
      } catch (error) {
        kept.entries.pop()
        throw error
      }
    })
  }

  private async speakFor(): ReturnType<Session['identity']> {
    return (this.speaker.person = await this.session.identity())
  }

  private itemOf({ id, file, size, done, failed }: Entry): AttachmentItem {
    const { uploading, sent, retryAt, reason } = this.uploads.about(id)
    const state = done ? 'done' : failed ? 'failed' : uploading ? 'uploading' : 'waiting'
    return { id, file, state, sent: done ? size : sent, size, reason: failed ?? reason, retryAt: retryAt > Date.now() ? retryAt : null }
  }

  private tell(): void {
    this.stale = true
    if (this.listeners.size > 0) this.telling ??= this.tellAll().finally(() => (this.telling = null))
  }

  private async tellAll(): Promise<void> {
    while (this.stale) {
      this.stale = false
      const items = await this.items()
      for (const listener of [...this.listeners]) {
        try {
          listener(items)
        } catch (error) {
          throwLater(error)
        }
      }
    }
  }
}
