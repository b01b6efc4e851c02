/**
 * The upload of one file, by tus 1.0.0: part after part, each with its checksum, from wherever the server says.
 *
 * A part with a checksum counts as a whole or not at all. So parts begin small, and grow while they arrive quickly: on a bad
 * connection little has to be sent again, on a good one little is asked.
 *
 * Owns: the requests of an upload, the size of parts, what is mended within it. Must not know: which file is next, when to try again.
 * Invariant: bytes go out only from where the server said that it has got to; whether they are there is said by the server alone
 * (test/unit/tus.test.ts, test/server/attachments.test.ts).
 */
import { base64url } from './devicekey'
import { NetworkError, SyncError } from './errors'
import { digestOf, readAll } from './filebytes'
import type { AttachmentSource, Digest } from './filebytes'
import type { Answer, Transport } from './transport'

/** How an upload is called off and followed. */
export interface UploadCourse {
  signal?: AbortSignal
  /** Hears how many bytes the server has. */
  onSent?: (bytes: number) => void
}

/** `there`: the server has the bytes, and they are what was declared; `checking`: it has them, and has still to look at them. */
export type Uploaded = 'there' | 'checking'

const KIB = 1024
const PART = { first: 64 * KIB, least: 16 * KIB, most: 2048 * KIB }
/** A part that took less than this may be larger the next time; one that took more is to be smaller. */
const [QUICK_MS, SLOW_MS] = [4000, 15_000]
/** So often in a row an upload mends what went wrong with a part before it gives up for now. */
const MENDED_MAX = 5
const THERE = -1

/** How large a part is to be: what a connection has shown goes for the next file, too. */
export class Pace {
  bytes = PART.first

  arrived(bytes: number, ms: number): void {
    if (ms < QUICK_MS && bytes >= this.bytes) this.bytes = Math.min(this.bytes * 2, PART.most)
    else if (ms > SLOW_MS) this.smaller()
  }

  /** Gives whether there was anything left to take away. */
  smaller(): boolean {
    const before = this.bytes
    this.bytes = Math.max(this.bytes / 2, PART.least)
    return this.bytes < before
  }
}

export class Tus {
  readonly pace = new Pace()

  constructor(
    private readonly server: Pick<Transport, 'send'>,
    private readonly digest: Digest | null,
    private readonly now: () => number = Date.now,
  ) {}

  /** Send what the server lacks of an attachment. Throws what a request and the file throw; then do it again. */
  async upload(id: string, source: AttachmentSource, course: UploadCourse = {}): Promise<Uploaded> {
    const one = new One(this.server, this.pace, this.digest, this.now, `/api/v1/attachments/${id}/bytes`, source, course)
    return one.run()
  }
}

class One {
  private mended = 0

  constructor(
    private readonly server: Pick<Transport, 'send'>,
    private readonly pace: Pace,
    private readonly digest: Digest | null,
    private readonly now: () => number,
    private readonly path: string,
    private readonly source: AttachmentSource,
    private readonly course: UploadCourse,
  ) {}

  async run(): Promise<Uploaded> {
    let at = await this.begin()
    while (at !== THERE && at < this.source.size) {
      this.course.onSent?.(at)
      at = await this.part(at)
    }
    if (at === THERE) return 'there'
    this.course.onSent?.(at)
    return (await this.begin()) === THERE ? 'there' : 'checking'
  }

  /** Begin, or go on with what was begun: from where; THERE: there is nothing to send. */
  private async begin(): Promise<number> {
    try {
      return offsetOf(await this.ask('POST', { 'upload-length': String(this.source.size) }))
    } catch (error) {
      if (codeOf(error) === 'already_uploaded') return THERE
      throw error
    }
  }

  /** Send the part that begins at `at`; gives where the next one begins. */
  private async part(at: number): Promise<number> {
    const bytes = await readAll(this.source, at, Math.min(this.pace.bytes, this.source.size - at))
    const checksum = `sha256 ${base64(await digestOf(bytes, this.digest))}`
    const headers = { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(at), 'upload-checksum': checksum }
    const begun = this.now()
    try {
      const next = offsetOf(await this.ask('PATCH', headers, bytes))
      this.pace.arrived(bytes.length, this.now() - begun)
      this.mended = 0
      return next
    } catch (error) {
      return this.mend(at, error)
    }
  }

  /** What can be done about a failed part at once is done; gives from where to send. Everything else is thrown on. */
  private async mend(at: number, error: unknown): Promise<number> {
    const code = codeOf(error)
    this.mended += 1
    if (this.mended <= MENDED_MAX) {
      if (code === 'offset_conflict') return this.where()
      if (code === 'upload_gone') return this.begin()
      if (code === 'checksum_mismatch') return this.pace.smaller(), at
      if (isTooLong(error) && this.pace.smaller()) return at
    }
    if (error instanceof NetworkError) this.pace.smaller()
    throw error
  }

  /** Ask how much is there; by GET, because an answer to HEAD cannot say what is wrong with the token. */
  private async where(): Promise<number> {
    try {
      return offsetOf(await this.ask('GET'))
    } catch (error) {
      if (codeOf(error) === 'upload_gone') return this.begin()
      throw error
    }
  }

  /** Each request is tried once: after a failure it has to be asked anew how much came. */
  private ask(method: string, headers: Record<string, string> = {}, body?: Uint8Array): Promise<Answer> {
    const { signal } = this.course
    const options = { headers: { 'tus-resumable': '1.0.0', ...headers }, attempts: 1, bodiless: true, ...(signal ? { signal } : {}) } as const
    return this.server.send(method, this.path, body, options)
  }
}

/** Read from where to go on. Throws NetworkError if that is not said: a Wi-Fi's login page answers everything with 200. */
function offsetOf(answer: Answer): number {
  const said = answer.header('upload-offset') ?? ''
  if (!/^\d+$/.test(said)) throw new NetworkError('What answered is not the server.')
  return Number(said)
}

/** A proxy before the server takes less at once than the server does. */
function isTooLong(error: unknown): boolean {
  return error instanceof SyncError && error.status === 413 && (error.code === 'http_error' || error.code === 'body_too_large')
}

function codeOf(error: unknown): string {
  return error instanceof SyncError ? error.code : ''
}

/** Base64 with padding (RFC 4648, 4), of a digest. */
function base64(bytes: Uint8Array): string {
  const text = base64url(bytes).replace(/-/g, '+').replace(/_/g, '/')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}
