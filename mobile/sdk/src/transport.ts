/**
 * Requests to the server: sent again when that is safe and may help, with growing waits, until they are called off.
 *
 * Everything that goes through here may be sent twice: a pull, an exchange (named by its push_id), a refresh (within a minute).
 * A body that was cut off does not parse, and counts as no answer.
 *
 * Owns: retries, timeouts, cancellation, the way from an answer to an error. Must not know: what is asked; who asks is the authorizer's.
 * Invariant: an answer is whole or an error; no wait outlives its signal (test/unit/transport.test.ts).
 */
import { boundOf } from './backoff'
import type { Backoff } from './backoff'
import { Cancelled, NetworkError, SyncError, syncError } from './errors'

/** The part of `fetch` that is used; React Native's, the browser's and Node's all fit. */
export type Fetch = (
  url: string,
  options: { method: string; headers: Record<string, string>; body?: string | Uint8Array; signal?: AbortSignal },
) => Promise<FetchAnswer>
export interface FetchAnswer {
  status: number
  headers?: { get(name: string): string | null }
  text(): Promise<string>
}

/** An answer with a status of 2xx; `value`: its body, parsed; null: it had none. */
export interface Answer {
  status: number
  header(name: string): string | null
  value: unknown
}

export interface SendOptions {
  signal?: AbortSignal
  headers?: Record<string, string>
  /** How often it is tried at most. */
  attempts?: number
  /** Milliseconds until an attempt is given up. */
  timeoutMs?: number
  /** The answer is all in its headers: what there is of a body is not read as JSON. */
  bodiless?: true
}

/** Who asks: puts headers on each request, and may mend a 401. */
export interface Authorizer {
  headers(method: string, url: string, signal?: AbortSignal): Promise<Record<string, string>>
  /** After a 401 to a request with the headers `used`: true if it is worth asking once more. May throw LoginNeeded. */
  renew(code: string, used: Record<string, string>, signal?: AbortSignal): Promise<boolean>
}

export interface TransportOptions {
  /** The server's root: `https://erp.example.com`. */
  url: string
  authorizer?: Authorizer
  fetch?: Fetch
  /** Milliseconds until a request without an answer is given up; default 60 000. */
  timeoutMs?: number
  /** How often a request is tried at most; default 4. */
  attempts?: number
  /** The first and the longest wait between attempts, in milliseconds; drawn between nothing and that. */
  backoffMs?: Backoff
  random?: () => number
}

/** Answers after which the same request may well succeed: nothing of it was applied, or it is known again. */
const AGAIN: ReadonlySet<number> = new Set([425, 429, 502, 503, 504])
const NO_CONTENT = 204
/** Longer than this nobody is kept waiting inside a request: the caller decides when to come back. */
const WAIT_MAX_MS = 30_000

export class Transport {
  readonly url: string
  /** What has to be added to this phone's clock to have the server's, in milliseconds, as of the last answer; null: nobody said. */
  offsetMs: number | null = null
  private readonly fetch: Fetch

  constructor(private readonly options: TransportOptions) {
    this.url = options.url.replace(/\/+$/, '')
    this.fetch = options.fetch ?? globalFetch()
  }

  async get<T>(path: string, options: SendOptions = {}): Promise<T> {
    return (await this.send('GET', path, undefined, options)).value as T
  }

  async post<T>(path: string, body: unknown, options: SendOptions = {}): Promise<T> {
    return (await this.send('POST', path, JSON.stringify(body), options)).value as T
  }

  /** Send until there is an answer of 2xx. Throws SyncError, NetworkError, Cancelled, LoginNeeded. */
  async send(method: string, path: string, body?: Body, options: SendOptions = {}): Promise<Answer> {
    const attempts = options.attempts ?? this.options.attempts ?? 4
    for (let attempt = 1; ; attempt += 1) {
      const done = await this.once(method, path, body, options)
      if ('value' in done) return done
      const wait = this.wait(attempt, done)
      if (attempt >= attempts || wait === null) throw done
      await pause(wait, options.signal)
    }
  }

  /** One attempt, or two if the first was let down by an old token. */
  private async once(method: string, path: string, body: Body | undefined, options: SendOptions): Promise<Outcome> {
    const { authorizer } = this.options
    for (let again = true; ; again = false) {
      throwIfCancelled(options.signal)
      const said = (await authorizer?.headers(method, `${this.url}${path}`, options.signal)) ?? {}
      const done = await this.exchange(method, path, body, { ...said, ...options.headers }, options)
      if (!(done instanceof SyncError) || done.status !== 401 || !again || !authorizer) return done
      if (!(await authorizer.renew(done.code, said, options.signal))) return done
    }
  }

  private async exchange(method: string, path: string, body: Body | undefined, said: Record<string, string>, options: SendOptions): Promise<Outcome> {
    const { signal } = options
    const headers = { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...said }
    const limit = new Limit(options.timeoutMs ?? this.options.timeoutMs ?? 60_000, signal)
    try {
      const got = await limit.race(this.fetch(`${this.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }), signal: limit.signal }))
      const text = await limit.race(got.text())
      const header = (name: string): string | null => got.headers?.get(name) ?? null
      const date = Date.parse(header('date') ?? '')
      if (!Number.isNaN(date)) this.offsetMs = date - Date.now()
      if (got.status < 200 || got.status > 299) return syncError(got.status, text, waitMs(header('retry-after'), date))
      return { status: got.status, header, value: got.status === NO_CONTENT || options.bodiless ? null : JSON.parse(text) }
    } catch (error) {
      if (signal?.aborted) throw new Cancelled()
      return new NetworkError('The server did not answer, or not to the end.', error)
    } finally {
      limit.end()
    }
  }

  /** How long to wait before the next attempt; null: another would not help, or the server wants to be left alone for longer. */
  private wait(attempt: number, failure: SyncError | NetworkError): number | null {
    const told = failure instanceof SyncError ? failure.waitMs : null
    if (failure instanceof SyncError && !AGAIN.has(failure.status)) return null
    const { backoffMs = { first: 500, longest: 8000 }, random = Math.random } = this.options
    if (told !== null) return told > WAIT_MAX_MS ? null : told
    return random() * boundOf(backoffMs, attempt)
  }
}

type Body = string | Uint8Array
type Outcome = Answer | SyncError | NetworkError

/** Read a Retry-After: seconds, or a date (RFC 9110, 10.2.3), which is compared with the server's `date`: a phone's clock may be wrong. */
function waitMs(said: string | null, date: number): number | null {
  if (said === null) return null
  if (/^\d+$/.test(said)) return Number(said) * 1000
  const ms = Date.parse(said) - (Number.isNaN(date) ? Date.now() : date)
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), 3_600_000)
}

/** A time limit around a request that also ends with the caller's signal. */
class Limit {
  private readonly controller = new AbortController()
  private readonly timer: ReturnType<typeof setTimeout>
  private readonly ended: Promise<never>
  private readonly abort: () => void

  constructor(
    ms: number,
    private readonly outer?: AbortSignal,
  ) {
    this.abort = () => this.controller.abort()
    this.ended = new Promise((_, reject) => {
      this.controller.signal.addEventListener('abort', () => reject(new Error('given up')))
    })
    this.ended.catch(() => undefined) // nobody may be waiting
    this.timer = setTimeout(this.abort, ms)
    outer?.addEventListener('abort', this.abort)
    if (outer?.aborted) this.abort() // while its headers were made
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Not every fetch heeds a signal. */
  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.ended])
  }

  end(): void {
    clearTimeout(this.timer)
    this.outer?.removeEventListener('abort', this.abort)
  }
}

/** Wait, or throw Cancelled as soon as the signal says so. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  throwIfCancelled(signal)
  return new Promise((done, fail) => {
    const stop = (): void => {
      clearTimeout(timer)
      fail(new Cancelled())
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      done()
    }, ms)
    signal?.addEventListener('abort', stop)
  })
}

/** Wait for `work`, or throw Cancelled as soon as the signal says so; the work itself goes on. */
export function heed<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work
  return new Promise((done, fail) => {
    const stop = (): void => fail(new Cancelled())
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    work.then(done, fail).finally(() => signal.removeEventListener('abort', stop))
  })
}

export function throwIfCancelled(signal?: AbortSignal): void {
  if (signal?.aborted) throw new Cancelled()
}

export function globalFetch(): Fetch {
  const found = (globalThis as { fetch?: Fetch }).fetch
  if (!found) throw new Error('There is no global fetch here: pass one as `fetch`.')
  return found
}
