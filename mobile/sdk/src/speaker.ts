/**
 * Asks as one person only: what is asked after somebody else has logged in, in the middle of a sync, is not sent as theirs.
 *
 * Owns: whom the requests are for. Must not know: tokens, what is asked.
 * Invariant: no request begun for one person goes out with the tokens of another (test/unit/session.test.ts).
 */
import { LoginNeeded } from './errors'
import type { Session } from './session'
import { isSamePerson } from './tokens'
import type { Identity } from './tokens'
import type { Authorizer } from './transport'

export class Speaker implements Authorizer {
  /** Who is asked for; null: whoever is logged in. */
  person: Identity | null = null

  constructor(private readonly session: Session) {}

  async headers(method: string, url: string, signal?: AbortSignal): Promise<Record<string, string>> {
    const said = await this.session.headers(method, url, signal)
    const speaking = this.session.personOf(said)
    if (this.person && speaking && !isSamePerson(this.person, speaking)) throw new LoginNeeded('session_changed')
    return said
  }

  renew(code: string, used: Record<string, string>, signal?: AbortSignal): Promise<boolean> {
    return this.session.renew(code, used, signal)
  }
}
