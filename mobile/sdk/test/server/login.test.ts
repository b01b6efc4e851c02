/**
 * A session with a real server whose access tokens live for two seconds: it outlives them, lost answers, copies and wrong clocks,
 * and ends when somebody ends it.
 */
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { describe, it } from 'node:test'
import { setTimeout as after } from 'node:timers/promises'

import { LoginNeeded, NetworkError, Session, Transport, subtleSigner } from '../../src'
import type { Fetch, SessionOptions, Signer } from '../../src'
import { Turns } from '../../src/lock'
import { serverUrl } from '../support/device'
import { HASTY, keychain } from '../support/phone'

/** A token lives for two seconds, of which the first has begun when it is made. */
const ENDS_MS = 2_100
const DAY = 86_400_000
const ME = '/api/v1/me'

class App {
  readonly session: Session
  readonly api: Transport
  /** Paths that were asked. */
  asked: string[] = []
  /** What becomes of an answer: false loses it. */
  hears: (path: string) => boolean = () => true

  constructor(
    readonly store = keychain(),
    options: Partial<SessionOptions> = {},
  ) {
    const fetch: Fetch = (url, asking) => this.network(url, asking)
    this.session = new Session({ url: serverUrl(), ...HASTY, lock: new Turns(), ...options, store, fetch })
    this.api = new Transport({ url: serverUrl(), ...HASTY, fetch, authorizer: this.session })
  }

  static async of(username: string, options: Partial<SessionOptions> = {}): Promise<App> {
    const app = new App(keychain(), options)
    await app.session.login({ username, password: 'cotton-demo' })
    return app
  }

  /** The same installation after a restart. */
  again(options: Partial<SessionOptions> = {}): App {
    return new App(this.store, options)
  }

  /** What a backup of the phone, put on another, begins with. */
  copied(): App {
    const store = keychain()
    for (const [key, value] of this.store.kept) store.kept.set(key, value)
    return new App(store)
  }

  async me(): Promise<string> {
    return (await this.api.get<{ user: { id: string } }>(ME)).user.id
  }

  refreshes(): number {
    return this.asked.filter((path) => path.endsWith('/refresh')).length
  }

  private async network(url: string, asking: Parameters<Fetch>[1]): ReturnType<Fetch> {
    const path = url.slice(serverUrl().length)
    this.asked.push(path)
    const answer = await fetch(url, asking as RequestInit)
    if (!this.hears(path)) throw new TypeError('the connection was lost')
    return answer as Awaited<ReturnType<Fetch>>
  }
}

/** Let the tokens end while this phone believes that no time has passed: then only the server can say that they have. */
async function unnoticed<T>(work: () => Promise<T>, ms = ENDS_MS): Promise<T> {
  const now = Date.now
  const then = now()
  Date.now = () => then
  await after(ms)
  return work().finally(() => (Date.now = now))
}

async function withClock<T>(offsetMs: number, work: () => Promise<T>): Promise<T> {
  const now = Date.now
  Date.now = () => now() + offsetMs
  return work().finally(() => (Date.now = now))
}

const needsLogin =
  (...codes: string[]) =>
  (error: unknown): boolean =>
    error instanceof LoginNeeded && codes.includes(error.code)

describe('tokens that end', () => {
  it('are replaced before they are sent, if the phone can tell', async () => {
    const app = await App.of('agent1')
    for (let time = 0; time < 3; time += 1) {
      await after(1_200)
      assert.equal(await app.me(), 'agent1')
    }
    assert.deepEqual([app.refreshes(), app.asked.filter((path) => path === ME).length], [3, 3])
  })

  it('are replaced between two steps, if only the server can tell, once for all that were under way', async () => {
    const app = await App.of('agent1')
    await unnoticed(() => Promise.all(Array.from({ length: 10 }, () => app.me())))
    assert.equal(app.refreshes(), 1)
  })

  it('are replaced although the answers to that were lost, even with a restart in between', async () => {
    const app = await App.of('agent1')
    app.hears = (path) => !path.endsWith('/refresh')
    await unnoticed(() => assert.rejects(app.me(), NetworkError))
    assert.equal(app.refreshes(), 3)
    assert.equal(await app.again().me(), 'agent1')
    app.hears = () => true
    await after(ENDS_MS)
    assert.equal(await app.me(), 'agent1')
  })

  it('are replaced twice at a time without harm, where there is no lock', async () => {
    const app = await App.of('agent1')
    const other = new App(app.store)
    await after(ENDS_MS)
    assert.deepEqual(await Promise.all([app.me(), other.me()]), ['agent1', 'agent1'])
    await after(ENDS_MS)
    assert.equal(await app.me(), 'agent1')
    assert.equal(await other.me(), 'agent1')
  })
})

describe('a session ends', () => {
  it('for both, when its installation was copied and both go on', async () => {
    const app = await App.of('agent1')
    const copy = app.copied()
    await after(ENDS_MS)
    assert.equal(await app.me(), 'agent1')
    await after(ENDS_MS)
    assert.equal(await app.me(), 'agent1')
    const endings: string[] = []
    app.session.onEnded((code) => endings.push(code))
    await assert.rejects(copy.me(), needsLogin('refresh_refused'))
    await after(ENDS_MS)
    await assert.rejects(app.me(), needsLogin('session_ended', 'refresh_refused'))
    assert.equal(endings.length, 1)

    await app.session.login({ username: 'agent1', password: 'cotton-demo' })
    assert.equal(await app.me(), 'agent1')
  })

  it('by a logout elsewhere', async () => {
    const [here, there] = [await App.of('agent1'), await App.of('agent1')]
    await there.api.send('DELETE', '/api/v1/auth/sessions?keep=current')
    await assert.rejects(here.me(), needsLogin('session_ended'))
    assert.equal(await here.session.identity(), null)
    assert.equal(await there.me(), 'agent1')
  })

  it('by a logout here, at the server too, and although its token has ended', async () => {
    for (const waitMs of [0, ENDS_MS]) {
      const app = await App.of('agent2')
      const { sessionId } = (await app.session.identity()) ?? assert.fail('logged in')
      await after(waitMs)
      await app.session.logout()
      await assert.rejects(app.me(), needsLogin('not_logged_in'))
      const { api } = await App.of('agent2')
      const { sessions } = await api.get<{ sessions: { id: string }[] }>('/api/v1/auth/sessions')
      assert.ok(sessions.every(({ id }) => id !== sessionId))
    }
  })

  it('by another login on the same installation, which keeps its id', async () => {
    const app = await App.of('agent1')
    const before = await app.session.identity()
    const tab = app.again()
    assert.equal(await tab.me(), 'agent1')
    await app.session.login({ username: 'agent2', password: 'cotton-demo' })
    const { deviceId, userId } = (await app.session.identity()) ?? assert.fail('logged in')
    assert.deepEqual([deviceId, userId], [before?.deviceId, 'agent2'])
    await after(ENDS_MS)
    await assert.rejects(tab.me(), needsLogin('session_changed'))
    assert.equal(await tab.me(), 'agent2')
  })
})

describe('a device key', () => {
  function newSigner(): Signer {
    let pair: webcrypto.CryptoKeyPair | null = null
    const save = async (made: webcrypto.CryptoKeyPair): Promise<void> => void (pair = made)
    return subtleSigner<webcrypto.CryptoKey>(webcrypto.subtle, { load: async () => pair, save: save as never })
  }

  for (const days of [-40, 0, 40]) {
    it(`is proved with each refresh, the clock being ${days} days off`, async () => {
      const signer = newSigner()
      await withClock(days * DAY, async () => {
        const app = await App.of('agent3', { signer })
        for (let time = 0; time < 2; time += 1) {
          await after(ENDS_MS)
          assert.equal(await app.me(), 'agent3')
        }
        assert.equal(app.refreshes(), 2)
      })
    })
  }

  it('is proved although the clock was set wrong since the login', async () => {
    const signer = newSigner()
    const app = await App.of('agent3', { signer })
    await after(ENDS_MS)
    for (const days of [3, -3]) {
      const restarted = app.again({ signer })
      await withClock(days * DAY, async () => assert.equal(await restarted.me(), 'agent3'))
      assert.equal(restarted.refreshes(), 2)
    }
  })

  it('is what a stolen token is worthless without, and its theft ends nothing', async () => {
    const signer = newSigner()
    const app = await App.of('agent4', { signer })
    const thief = app.copied()
    await after(ENDS_MS)
    await assert.rejects(thief.me(), needsLogin('refresh_refused'))
    await assert.rejects(app.copied().again({ signer: newSigner() }).me(), needsLogin('refresh_refused'))
    assert.equal(await app.me(), 'agent4')
  })
})
