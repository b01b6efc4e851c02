/**
 * What a login gave, and where it is kept between two starts of the app.
 *
 * When a token ends is told by the time since it came: the phone's clock may be days off, but it runs. If it is set meanwhile, a
 * token is replaced too early, or the server says that it has ended: both are mended by a refresh.
 *
 * Owns: the tokens in the store and in memory. Must not know: requests, locks.
 * Invariant: a pair that was used up is never read again, not even when the store failed to take the next one
 * (test/unit/session.test.ts).
 */
import { NetworkError } from './errors'
import type { SecretStore } from './storage'

/** Who is logged in. */
export interface Identity {
  userId: string
  orgId: string
  sessionId: string
  deviceId: string
  /** This user has to set up a second factor: until then the server answers nothing else. */
  mustEnrol?: true
}

/** By what name a phone keeps things for somebody. */
export function ownerOf({ orgId, userId }: Identity): string {
  return `${orgId}/${userId}`
}

export interface Tokens extends Identity {
  access: string
  refresh: string
  /** By this phone's clock, in milliseconds, and for how long. */
  cameAt: number
  lastsMs: number
  /** What had to be added to this phone's clock then; null: nobody said. */
  offsetMs: number | null
}

/** The server's answer to a login and to a refresh. */
export interface Grant {
  access_token: string
  refresh_token: string
  expires_in: number
  org_id: string
  user_id: string
  session_id: string
  device_id: string
  device_token?: string
  must_enrol?: true
}

const KEY = 'cotton.session'
const TEXTS = ['access_token', 'refresh_token', 'org_id', 'user_id', 'session_id', 'device_id'] as const
/** So long before its end a token is replaced: a request takes its time. */
const EARLY_MS = 30_000

/** Read a grant. Throws NetworkError if it is none: the login page of a Wi-Fi may well answer with JSON of its own. */
export function tokensOf(grant: Grant | null, offsetMs: number | null): Tokens {
  if (!grant || TEXTS.some((name) => typeof grant[name] !== 'string') || !(grant.expires_in > 0)) {
    throw new NetworkError('What answered is not the server.')
  }
  const who = { userId: grant.user_id, orgId: grant.org_id, sessionId: grant.session_id, deviceId: grant.device_id }
  const times = { cameAt: Date.now(), lastsMs: grant.expires_in * 1000, offsetMs }
  return { ...who, ...times, access: grant.access_token, refresh: grant.refresh_token, ...(grant.must_enrol ? { mustEnrol: true } : {}) }
}

export function identityOf({ userId, orgId, sessionId, deviceId, mustEnrol }: Tokens): Identity {
  return { userId, orgId, sessionId, deviceId, ...(mustEnrol ? { mustEnrol } : {}) }
}

export function isSamePerson(one: Identity, other: Identity): boolean {
  return one.userId === other.userId && one.orgId === other.orgId
}

/** Whether it can be sent; a clock that was set back makes the time since negative: then better ask for another. */
export function isFresh({ cameAt, lastsMs }: Tokens): boolean {
  const since = Date.now() - cameAt
  return since >= 0 && since < lastsMs - Math.min(EARLY_MS, lastsMs / 2)
}

/** The tokens of an installation. */
export class Kept {
  private tokens: Tokens | null | undefined
  private unsaved = false

  constructor(private readonly store: SecretStore) {}

  /** `anew`: another tab may have written. Throws what the store throws. */
  async read({ anew = false } = {}): Promise<Tokens | null> {
    if (this.unsaved) await this.save()
    else if (anew || this.tokens === undefined) this.tokens = parsed<Tokens>(await this.store.get(KEY))
    return this.tokens ?? null
  }

  /** Keep the next pair, or none. Should the store fail, that is thrown, and done when the tokens are next read. */
  async keep(tokens: Tokens | null): Promise<void> {
    this.tokens = tokens
    this.unsaved = true
    await this.save()
  }

  private async save(): Promise<void> {
    const { tokens, store } = this
    await (tokens ? store.set(KEY, JSON.stringify(tokens)) : store.remove(KEY))
    if (this.tokens === tokens) this.unsaved = false
  }
}

/** What was kept; what cannot be read is as good as lost: somebody logs in again. */
export function parsed<T>(kept: string | null): T | null {
  try {
    return kept ? (JSON.parse(kept) as T) : null
  } catch {
    return null
  }
}
