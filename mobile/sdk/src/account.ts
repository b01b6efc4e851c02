/**
 * What a person chooses about themselves: how they are told outside of the app, where this phone is reached, what they agree to.
 *
 * ```ts
 * await cotton.account.reachBy('expo', token)                 // after the app got its token from the push service
 * const { purposes } = await cotton.account.consents()        // show the words, then:
 * await cotton.account.say('location', true, purposes[0].version)
 * ```
 *
 * Owns: the requests. Must not know: what follows from a choice. Each needs a signal, and is the session's own.
 * Invariant: what the server took is what is given back (test/server/session.test.ts).
 */
import type { Answer, SendOptions } from './transport'

/** Whose tokens the server can send to. */
export type PushService = 'expo' | 'fcm' | 'apns'
export type Purpose = 'location' | 'messages'

/** How one wants to be told; times of the day as `HH:MM`, by the clock of `zone`. */
export interface NoticeWishes {
  email: 'at_once' | 'daily' | 'never'
  push: boolean
  quiet_from: string
  quiet_until: string
  daily_at: string
  zone: string
  muted: string[]
}

/** What one may agree to, in one's language; `given` null: one said nothing. */
export interface Consents {
  purposes: { purpose: Purpose; version: number; words: string; given: boolean | null; at: number | null }[]
  history: { purpose: Purpose; given: boolean; version: number; at: number }[]
}

/** The part of `Transport` that is used. */
export interface AccountServer {
  send(method: string, path: string, body?: string, options?: SendOptions): Promise<Answer>
}

export class Account {
  constructor(private readonly server: AccountServer) {}

  /** How one is told outside of the app. */
  wishes(): Promise<NoticeWishes> {
    return this.ask('GET', '/me/notices')
  }

  /** Choose it; what is left out is as at first. */
  wish(wishes: Partial<NoticeWishes>): Promise<NoticeWishes> {
    return this.ask('PUT', '/me/notices', wishes)
  }

  /** Say where this phone is reached by push: again whenever the service gives another token. */
  async reachBy(service: PushService, token: string): Promise<void> {
    await this.ask('PUT', '/me/push-address', { service, token })
  }

  /** Have this phone told nothing by push any more. */
  async unreach(): Promise<void> {
    await this.ask('DELETE', '/me/push-address')
  }

  /** What one may agree to, and what one said. */
  consents(): Promise<Consents> {
    return this.ask('GET', '/me/consents')
  }

  /** Agree to the words of a version, or take it back. */
  say(purpose: Purpose, given: boolean, version?: number): Promise<Consents> {
    return this.ask('PUT', `/me/consents/${purpose}`, given ? { given, version } : { given })
  }

  private async ask<T>(method: string, path: string, body?: object): Promise<T> {
    return (await this.server.send(method, `/api/v1${path}`, body === undefined ? undefined : JSON.stringify(body))).value as T
  }
}
