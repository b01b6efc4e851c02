/**
 * Who is logged in on this installation: login, the tokens, their refresh, logout.
 *
 * A refresh token is used up by its use, and using it twice ends the session. So one refresh at a time, in all tabs; the new pair
 * is kept before anything else; and a refresh whose answer was lost is sent again at once, which the server allows for a minute.
 *
 * Owns: the logins and their end, the installation's id. Must not know: the database, what is synced.
 * Invariant: any number of requests that are let down by one expired token cause one refresh; only the server ends a session, not
 * a network, a proxy or a clock (test/unit/session.test.ts, test/server/login.test.ts).
 */
import { proofOf, randomId } from './devicekey'
import type { Signer } from './devicekey'
import { LoginNeeded, NetworkError, SyncError } from './errors'
import { lock as defaultLock } from './lock'
import type { Lock } from './lock'
import type { SecretStore } from './storage'
import { Kept, identityOf, isFresh, isSamePerson, parsed, tokensOf } from './tokens'
import type { Grant, Identity, Tokens } from './tokens'
import { Transport, heed } from './transport'
import type { Authorizer, TransportOptions } from './transport'

export type { Identity } from './tokens'

/** What the user and an administrator are shown of this device. */
export interface DeviceInfo {
  name?: string
  platform?: string
  app_version?: string
  schema_version?: number
}

export interface SessionOptions extends Omit<TransportOptions, 'authorizer'> {
  store: SecretStore
  device?: DeviceInfo
  signer?: Signer
  lock?: Lock
}

export type Credentials = { username: string; password: string; code?: string }
/** Several organisations have this number: call `verifyCode` again with one of them. */
export type Choice = { choose: { org_id: string; name: string }[] }

const DEVICE = 'cotton.device'
const LOCK = 'cotton.refresh'
const AUTH = '/api/v1/auth'
/** All attempts at one refresh are over before the minute is for which the server gives the same pair again. */
const REFRESH = { attempts: 3, timeoutMs: 15_000 }
/** A refusal for which a wrong clock is blamed says that it is wrong by more than that. */
const CLOCK_MS = 60_000
/** Refusals that only a refresh mends, and those after which there is no session. Others, a proxy's too, are not about the session. */
const STALE: ReadonlySet<string> = new Set(['token_expired', 'token_refused', 'unauthenticated'])
const ENDED: ReadonlySet<string> = new Set(['session_ended', 'refresh_refused', 'device_wiped'])

export class Session implements Authorizer {
  private readonly plain: Transport
  private readonly lock: Lock
  private readonly kept: Kept
  private readonly endings = new Set<(code: string) => void>()
  /** The last session whose end was told. */
  private told = ''
  /** Whose tokens a request was sent with. */
  private readonly spoke = new WeakMap<Record<string, string>, Tokens>()

  constructor(private readonly options: SessionOptions) {
    this.plain = new Transport(options)
    this.lock = options.lock ?? defaultLock
    this.kept = new Kept(options.store)
  }

  get store(): SecretStore {
    return this.options.store
  }

  /** Who is logged in, in this tab or another; null: nobody. */
  async identity(): Promise<Identity | null> {
    const tokens = await this.kept.read({ anew: true })
    return tokens && identityOf(tokens)
  }

  /**
   * Log in. Throws SyncError: `login_refused`, `second_factor_needed` (ask for `code`), `too_many_requests`; NetworkError.
   * A second factor's code is used up by its use: with one it is tried once.
   */
  async login(credentials: Credentials): Promise<Identity> {
    const body = { ...credentials, device: await this.describe() }
    return this.granted(await this.plain.post<Grant>(`${AUTH}/login`, body, credentials.code === undefined ? {} : { attempts: 1 }))
  }

  /** Have a code sent to a phone; asked again soon it is the same one, so that asking again is safe. */
  async requestCode(phone: string): Promise<{ request_id: string; expires_in: number; resend_after: number; digits: number }> {
    return this.plain.post(`${AUTH}/code`, { phone, device: await this.describe() })
  }

  /** Log in with a code. It is used up by its use: this is tried once. */
  async verifyCode(verify: { request_id: string; code: string; org_id?: string; totp?: string }): Promise<Identity | Choice> {
    const answer = await this.plain.post<Grant | Choice>(`${AUTH}/code/verify`, { ...verify, device: await this.describe() }, { attempts: 1 })
    return answer && 'choose' in answer ? answer : this.granted(answer)
  }

  /** End the session here, and at the server if it can be reached. What is unsynced stays in the database. */
  async logout(): Promise<void> {
    const tokens = await this.lock.run(LOCK, async () => {
      const last = await this.kept.read({ anew: true })
      await this.kept.keep(null)
      return last
    })
    if (tokens === null) return
    try {
      const access = isFresh(tokens) ? tokens.access : (await this.exchange(tokens)).access
      await this.plain.send('POST', `${AUTH}/logout`, undefined, { ...REFRESH, headers: bearer(access), attempts: 1 })
    } catch (error) {
      // Out of reach the session lives on at the server until its token runs out; nobody here has it any more.
      if (!(error instanceof NetworkError || error instanceof SyncError)) throw error
    }
  }

  /** Hear of the session's end, with the code that says why. Gives a way to unsubscribe. */
  onEnded(heard: (code: string) => void): () => void {
    this.endings.add(heard)
    return () => this.endings.delete(heard)
  }

  // --- For the transport ---

  async headers(_method: string, _url: string, signal?: AbortSignal): Promise<Record<string, string>> {
    const kept = await this.kept.read()
    if (kept === null) throw new LoginNeeded('not_logged_in')
    const tokens = isFresh(kept) ? kept : await this.refresh(kept, signal)
    const said = { ...this.about(tokens), ...bearer(tokens.access) }
    this.spoke.set(said, tokens)
    return said
  }

  async renew(code: string, used: Record<string, string>, signal?: AbortSignal): Promise<boolean> {
    const tokens = this.spoke.get(used)
    if (tokens === undefined) return false
    if (STALE.has(code)) await this.refresh(tokens, signal)
    else if (ENDED.has(code)) await this.lock.run(LOCK, () => this.ended(tokens, code), signal)
    else return false
    return true
  }

  /** Whose the headers are that `headers` gave. */
  personOf(said: Record<string, string>): Identity | undefined {
    return this.spoke.get(said)
  }

  private about({ deviceId }: Tokens): Record<string, string> {
    const version = this.options.device?.app_version
    return { 'cotton-device': deviceId, ...(version === undefined ? {} : { 'cotton-app-version': version }) }
  }

  // --- Behind the lock ---

  /** Replace the tokens `old`, unless somebody has done so meanwhile. Called off, it is only the waiting that ends. */
  private refresh(old: Tokens, signal?: AbortSignal): Promise<Tokens> {
    const work = async (): Promise<Tokens> => {
      const tokens = await this.successorOf(old)
      if (tokens === null) throw new LoginNeeded('not_logged_in')
      return tokens.access !== old.access && isFresh(tokens) ? tokens : this.rotate(tokens)
    }
    return heed(this.lock.run(LOCK, work, signal), signal)
  }

  /** What is kept now, if it is of the same person: nobody's request is ever sent as somebody else's. */
  private async successorOf(old: Tokens): Promise<Tokens | null> {
    const tokens = await this.kept.read({ anew: true })
    if (tokens !== null && !isSamePerson(tokens, old)) throw new LoginNeeded('session_changed')
    return tokens
  }

  /** Not called off half-way: the server has used the token up by then. */
  private async rotate(tokens: Tokens): Promise<Tokens> {
    try {
      const following = await this.exchange(tokens)
      await this.kept.keep(following)
      return following
    } catch (error) {
      if (error instanceof SyncError && ENDED.has(error.code)) await this.end(tokens, error.code)
      throw error
    }
  }

  /** Ask for the next pair. A proof that was refused is made once more if the answer shows that the clock was wrong. */
  private async exchange(tokens: Tokens, corrected = false): Promise<Tokens> {
    const { signer } = this.options
    const path = `${AUTH}/refresh`
    const offsetMs = this.plain.offsetMs ?? tokens.offsetMs ?? 0
    const proof = signer && (await proofOf(signer, 'POST', `${this.plain.url}${path}`, tokens.refresh, Date.now() + offsetMs))
    const options = { ...REFRESH, timeoutMs: Math.min(REFRESH.timeoutMs, this.options.timeoutMs ?? Infinity), headers: proof ? { dpop: proof } : {} }
    try {
      return tokensOf(await this.plain.post<Grant>(path, { refresh_token: tokens.refresh }, options), this.plain.offsetMs)
    } catch (error) {
      const isLate = Math.abs((this.plain.offsetMs ?? offsetMs) - offsetMs) > CLOCK_MS
      const isRefused = error instanceof SyncError && error.code === 'refresh_refused'
      if (!signer || !isLate || !isRefused || corrected) throw error
      return this.exchange(tokens, true)
    }
  }

  /** The session of `tokens` is over. If there is another of the same person by now, that one goes on; else LoginNeeded. */
  private async ended(tokens: Tokens, code: string): Promise<void> {
    const now = await this.successorOf(tokens)
    if (now === null || now.sessionId === tokens.sessionId) await this.end(tokens, code)
  }

  private async end({ sessionId }: Tokens, code: string): Promise<never> {
    await this.kept.keep(null)
    if (this.told !== sessionId) for (const heard of this.endings) heard(code)
    this.told = sessionId
    throw new LoginNeeded(code)
  }

  // --- What is kept ---

  private async describe(): Promise<Record<string, unknown>> {
    const { device = {}, signer, store } = this.options
    const kept = parsed<{ id: string; token?: string }>(await store.get(DEVICE))
    const known = kept ?? { id: randomId() }
    if (!kept) await store.set(DEVICE, JSON.stringify(known))
    return { ...device, ...known, ...(signer ? { public_key: await signer.publicKey() } : {}) }
  }

  private granted(grant: Grant): Promise<Identity> {
    const tokens = tokensOf(grant, this.plain.offsetMs)
    const { device_id: id, device_token: token } = grant
    return this.lock.run(LOCK, async () => {
      await this.options.store.set(DEVICE, JSON.stringify({ id, ...(token === undefined ? {} : { token }) }))
      await this.kept.keep(tokens)
      return identityOf(tokens)
    })
  }
}

function bearer(access: string): Record<string, string> {
  return { authorization: `Bearer ${access}` }
}
