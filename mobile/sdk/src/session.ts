/**
 * Who is logged in on this installation: login, the tokens, their refresh, logout.
 *
 * A refresh token is used up by its use, and using it twice ends the session. So one refresh at a time, in all tabs; the new pair
 * is kept before anything else; and a refresh whose answer was lost is sent again at once, which the server allows for a minute.
 * When a token expires is told by the time since it came: the phone's clock may be days off, but it runs.
 *
 * Owns: the tokens and the installation's id. Must not know: the database, what is synced.
 * Invariant: any number of requests that are let down by one expired token cause one refresh (test/unit/transport.test.ts).
 */
import { proofOf, randomId } from './devicekey'
import type { Signer } from './devicekey'
import { LoginNeeded, NetworkError, SyncError } from './errors'
import { lock as defaultLock } from './lock'
import type { Lock } from './lock'
import type { SecretStore } from './storage'
import { Transport } from './transport'
import type { Authorizer, TransportOptions } from './transport'

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

/** Who is logged in. */
export interface Identity {
  userId: string
  orgId: string
  sessionId: string
  deviceId: string
}

export type Credentials = { username: string; password: string; code?: string }
/** Several organisations have this number: call `verifyCode` again with one of them. */
export type Choice = { choose: { org_id: string; name: string }[] }

interface Tokens extends Identity {
  access: string
  refresh: string
  /** By this phone's clock, in milliseconds, and for how long. */
  cameAt: number
  lastsMs: number
}

interface Grant {
  access_token: string
  refresh_token: string
  expires_in: number
  org_id: string
  user_id: string
  session_id: string
  device_id: string
  device_token?: string
}

const TOKENS = 'cotton.session'
const DEVICE = 'cotton.device'
const AUTH = '/api/v1/auth'
/** So long before its end a token is replaced: a request takes its time. */
const EARLY_MS = 30_000

export class Session implements Authorizer {
  private readonly plain: Transport
  private readonly lock: Lock
  private tokens: Tokens | null | undefined
  private readonly endings = new Set<(code: string) => void>()

  constructor(private readonly options: SessionOptions) {
    this.plain = new Transport(options)
    this.lock = options.lock ?? defaultLock
  }

  get store(): SecretStore {
    return this.options.store
  }

  /** Who is logged in; null: nobody. */
  async identity(): Promise<Identity | null> {
    const tokens = await this.read()
    if (tokens === null) return null
    const { userId, orgId, sessionId, deviceId } = tokens
    return { userId, orgId, sessionId, deviceId }
  }

  /** Log in. Throws SyncError: `login_refused`, `second_factor_needed` (ask for `code`), `too_many_requests`. */
  async login(credentials: Credentials): Promise<Identity> {
    return this.granted(await this.plain.post<Grant>(`${AUTH}/login`, { ...credentials, device: await this.describe() }))
  }

  /** Have a code sent to a phone; asked again soon it is the same one, so that asking again is safe. */
  async requestCode(phone: string): Promise<{ request_id: string; expires_in: number; resend_after: number; digits: number }> {
    return this.plain.post(`${AUTH}/code`, { phone, device: await this.describe() })
  }

  /** Log in with a code. It is used up by its use: this is tried once. */
  async verifyCode(verify: { request_id: string; code: string; org_id?: string; totp?: string }): Promise<Identity | Choice> {
    const answer = await this.plain.post<Grant | Choice>(`${AUTH}/code/verify`, { ...verify, device: await this.describe() }, { attempts: 1 })
    return 'choose' in answer ? answer : this.granted(answer)
  }

  /** End the session here, and at the server if it can be reached. What is unsynced stays in the database. */
  async logout(): Promise<void> {
    const tokens = await this.read()
    await this.forget()
    if (tokens === null) return
    try {
      await this.plain.send('POST', `${AUTH}/logout`, undefined, { headers: bearer(tokens), attempts: 1 })
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
    const tokens = await this.read()
    if (tokens === null) throw new LoginNeeded('not_logged_in')
    return { ...this.about(), ...bearer(isFresh(tokens) ? tokens : await this.refresh(tokens.access, signal)) }
  }

  async renew(code: string, used: Record<string, string>, signal?: AbortSignal): Promise<boolean> {
    if (code === 'token_expired' || code === 'token_refused') {
      await this.refresh((used['authorization'] ?? '').replace('Bearer ', ''), signal)
      return true
    }
    await this.end(code)
    throw new LoginNeeded(code)
  }

  private about(): Record<string, string> {
    const version = this.options.device?.app_version
    return version === undefined ? {} : { 'cotton-app-version': version }
  }

  /** Replace the access token `old`, unless somebody has done so meanwhile. */
  private refresh(old: string, signal?: AbortSignal): Promise<Tokens> {
    return this.lock.run(
      'cotton.refresh',
      async () => {
        const tokens = await this.read({ anew: true })
        if (tokens === null) throw new LoginNeeded('not_logged_in')
        if (tokens.access !== old && isFresh(tokens)) return tokens
        return this.rotate(tokens)
      },
      signal,
    )
  }

  /** Not called off half-way: the server has used the token up by then. */
  private async rotate(tokens: Tokens): Promise<Tokens> {
    const { signer } = this.options
    const path = `${AUTH}/refresh`
    const proof = signer ? { dpop: await proofOf(signer, 'POST', `${this.plain.url}${path}`, tokens.refresh) } : {}
    try {
      return await this.keep(await this.plain.post<Grant>(path, { refresh_token: tokens.refresh }, { headers: proof }))
    } catch (error) {
      if (!(error instanceof SyncError) || error.status < 400 || error.status === 429 || error.status >= 500) throw error
      await this.end(error.code)
      throw new LoginNeeded(error.code)
    }
  }

  // --- What is kept ---

  private async describe(): Promise<Record<string, unknown>> {
    const { device = {}, signer, store } = this.options
    const kept = await store.get(DEVICE)
    const known = kept ? (JSON.parse(kept) as { id: string; token?: string }) : { id: randomId() }
    if (!kept) await store.set(DEVICE, JSON.stringify(known))
    return { ...device, ...known, ...(signer ? { public_key: await signer.publicKey() } : {}) }
  }

  private async granted(grant: Grant): Promise<Identity> {
    const { store } = this.options
    const { device_id: id, device_token: token } = grant
    await store.set(DEVICE, JSON.stringify({ id, ...(token === undefined ? {} : { token }) }))
    const { userId, orgId, sessionId, deviceId } = await this.keep(grant)
    return { userId, orgId, sessionId, deviceId }
  }

  private async keep(grant: Grant): Promise<Tokens> {
    const who = { userId: grant.user_id, orgId: grant.org_id, sessionId: grant.session_id, deviceId: grant.device_id }
    const times = { cameAt: Date.now(), lastsMs: grant.expires_in * 1000 }
    const tokens = { ...who, ...times, access: grant.access_token, refresh: grant.refresh_token }
    await this.options.store.set(TOKENS, JSON.stringify(tokens))
    this.tokens = tokens
    return tokens
  }

  /** `anew`: another tab may have written. */
  private async read({ anew = false } = {}): Promise<Tokens | null> {
    if (this.tokens === undefined || anew) {
      const kept = await this.options.store.get(TOKENS)
      this.tokens = kept ? (JSON.parse(kept) as Tokens) : null
    }
    return this.tokens
  }

  private async forget(): Promise<void> {
    this.tokens = null
    await this.options.store.remove(TOKENS)
  }

  private async end(code: string): Promise<void> {
    await this.forget()
    for (const heard of this.endings) heard(code)
  }
}

function bearer({ access }: { access: string }): Record<string, string> {
  return { authorization: `Bearer ${access}` }
}

/** A clock that was set back makes the time since negative: then better ask for another. */
function isFresh({ cameAt, lastsMs }: Tokens): boolean {
  const since = Date.now() - cameAt
  return since >= 0 && since < lastsMs - Math.min(EARLY_MS, lastsMs / 2)
}
