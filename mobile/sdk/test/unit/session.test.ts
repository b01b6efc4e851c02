/** Who is logged in, on a bad network, behind proxies, in two tabs and with a wrong clock: only the server ends a session. */
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'

import { subtleSigner } from '../../src/devicekey'
import { Cancelled, LoginNeeded, NetworkError, SyncError } from '../../src/errors'
import { Turns } from '../../src/lock'
import { Session } from '../../src/session'
import type { SessionOptions } from '../../src/session'
import { Speaker } from '../../src/speaker'
import { Transport } from '../../src/transport'
import type { Fetch } from '../../src/transport'
import { keychain } from '../support/phone'
import { LOGIN, LOGOUT, Logins, REFRESH, Site, json } from '../support/site'
import type { Asked } from '../support/site'

const QUICK = { attempts: 3, backoffMs: { first: 1, longest: 2 } }
const DAY = 86_400_000

const site = new Site()
before(() => site.open())
after(() => site.close())

let logins: Logins
let store: ReturnType<typeof keychain>
let lock: Turns
beforeEach(() => {
  logins = new Logins()
  store = keychain()
  lock = new Turns()
  site.asked = []
  site.answering = logins.answer
})

interface Tab {
  session: Session
  api: Transport
  endings: string[]
}

/** One tab of the app: its memory is its own, store and lock are shared with the others. */
function tab(options: Partial<SessionOptions> = {}): Tab {
  const session = new Session({ url: site.url, store, lock, ...QUICK, ...options })
  const endings: string[] = []
  session.onEnded((code) => endings.push(code))
  return { session, api: new Transport({ url: site.url, ...QUICK, authorizer: session }), endings }
}

async function loggedIn(username = 'asha', options: Partial<SessionOptions> = {}): Promise<Tab> {
  const opened = tab(options)
  await opened.session.login({ username, password: 'p' })
  return opened
}

async function withClock<T>(offsetMs: number, work: () => Promise<T>): Promise<T> {
  const now = Date.now
  Date.now = () => now() + offsetMs
  return work().finally(() => (Date.now = now))
}

describe('a session is not ended', () => {
  it('by a proxy that refuses, in place of a request or of a refresh', async () => {
    const { session, api, endings } = await loggedIn()
    for (const status of [401, 403, 404, 511]) {
      site.answering = (_, response) => response.writeHead(status).end('<html>Wi-Fi: please pay</html>')
      await assert.rejects(api.get('/x'), (error: SyncError) => error instanceof SyncError && error.code === 'http_error')
      logins.expire()
      site.answering = (asked, response) =>
        asked.path === REFRESH ? response.writeHead(status).end('<html>Wi-Fi: please pay</html>') : logins.answer(asked, response)
      await assert.rejects(api.get('/x'), (error: SyncError) => error instanceof SyncError && error.status === status)
    }
    site.answering = logins.answer
    assert.deepEqual(await api.get('/x'), { user: 'asha' })
    assert.deepEqual([endings, (await session.identity())?.userId], [[], 'asha'])
  })

  it('by a page that answers everything with 200', async () => {
    const { api, session } = await loggedIn()
    logins.expire()
    for (const text of ['<html>', '{}', '{"access_token": "a"}', '{"expires_in": 600}', 'null', '[]']) {
      site.answering = (asked, response) => (asked.path === REFRESH ? response.writeHead(200).end(text) : logins.answer(asked, response))
      await assert.rejects(api.get('/x'), NetworkError)
    }
    site.answering = logins.answer
    assert.deepEqual(await api.get('/x'), { user: 'asha' })
    assert.equal((await session.identity())?.sessionId, 's1')
  })

  it('by a server in trouble, or by answers to a refresh that are lost or cut', async () => {
    const { api, endings } = await loggedIn()
    logins.expire()
    for (const spoil of ['lost', 'cut', 'busy']) {
      let times = 2
      site.answering = (asked, response) => {
        if (asked.path !== REFRESH || times-- === 0) return logins.answer(asked, response)
        if (spoil === 'busy') return json(response, 503, { code: 'busy' }, { 'retry-after': '0' })
        const end = response.end.bind(response)
        response.end = ((text: string) => (spoil === 'lost' ? response.destroy() : end(text.slice(0, 40)))) as never
        logins.answer(asked, response)
      }
      assert.deepEqual(await api.get('/x'), { user: 'asha' })
      logins.expire()
    }
    assert.deepEqual(endings, [])
  })

  it('by a refresh that hangs: every attempt comes within the minute in which the server forgives it', async (test) => {
    await loggedIn()
    logins.expire()
    const began: number[] = []
    let clock = 0
    const hanging: Fetch = (url, options) => {
      if (!url.endsWith(REFRESH)) return fetch(url, options as RequestInit) as ReturnType<Fetch>
      began.push(clock)
      return new Promise(() => undefined)
    }
    const { api } = tab({ fetch: hanging })
    test.mock.timers.enable({ apis: ['setTimeout'] })
    let failed: unknown
    const asked = api.get('/x').catch((error: unknown) => (failed = error))
    for (; failed === undefined && clock < 600; clock += 1) {
      for (let turn = 0; turn < 3; turn += 1) await new Promise((done) => setImmediate(done))
      if (began.length > 0) test.mock.timers.tick(1000)
      else clock -= 1
    }
    await asked
    assert.ok(failed instanceof NetworkError)
    assert.equal(began.length, 3)
    assert.ok((began[2] ?? 99) - (began[0] ?? 0) < 45, `${began}`)
  })
})

describe('one refresh at a time', () => {
  it('mends any number of requests that one expired token let down', async () => {
    const { api } = await loggedIn()
    logins.expire()
    await Promise.all(Array.from({ length: 10 }, () => api.get('/x')))
    assert.equal(site.at(REFRESH).length, 1)
  })

  it('is enough for two tabs and a background task', async () => {
    await loggedIn()
    const tabs = [tab(), tab(), tab()]
    await Promise.all(tabs.map(({ api }) => api.get('/x')))
    logins.expire()
    await Promise.all(tabs.flatMap(({ api }) => [api.get('/x'), api.get('/x')]))
    assert.equal(site.at(REFRESH).length, 1)
  })

  it('goes on when who waited for it is called off, and what it gave is kept', async () => {
    const { api } = await loggedIn()
    logins.expire()
    const abort = new AbortController()
    let let_it = (): void => undefined
    site.answering = (asked, response) => {
      if (asked.path !== REFRESH) return logins.answer(asked, response)
      let_it = () => logins.answer(asked, response)
      abort.abort()
    }
    await assert.rejects(api.get('/x', { signal: abort.signal }), Cancelled)
    site.answering = logins.answer
    let_it()
    assert.deepEqual(await api.get('/x'), { user: 'asha' })
    assert.equal(site.at(REFRESH).length, 1)
  })
})

describe('the tokens that are kept', () => {
  it('are those of another tab, after it has logged the same person in again', async () => {
    const [one, two] = [await loggedIn(), tab()]
    await two.api.get('/x')
    await one.session.login({ username: 'asha', password: 'p' })
    assert.deepEqual(await two.api.get('/x'), { user: 'asha' })
    assert.deepEqual([one.endings, two.endings, site.at(REFRESH).length], [[], [], 0])
  })

  it('are left alone by a tab that finds somebody else logged in, which asks nothing in their name', async () => {
    const [one, two] = [await loggedIn(), tab()]
    await two.api.get('/x')
    await one.session.login({ username: 'ravi', password: 'p' })
    site.asked = []
    await assert.rejects(two.api.post('/mine', { of: 'asha' }), (error: LoginNeeded) => error.code === 'session_changed')
    assert.deepEqual(site.at('/mine').map(({ headers }) => headers.authorization), ['Bearer s1.a1'])
    assert.deepEqual(two.endings, [])
    assert.deepEqual(await one.api.get('/x'), { user: 'ravi' })
    assert.equal((await two.session.identity())?.userId, 'ravi')
  })

  it('are left alone by a refresh, too, that finds somebody else logged in', async () => {
    const [one, two] = [await loggedIn(), tab()]
    await two.api.get('/x')
    await one.session.login({ username: 'ravi', password: 'p' })
    await withClock(590_000, () => assert.rejects(two.api.get('/x'), (error: LoginNeeded) => error.code === 'session_changed'))
    assert.equal(site.at(REFRESH).length, 0)
  })

  it('are asked with by nobody who began as somebody else', async () => {
    const { session } = await loggedIn()
    const speaker = new Speaker(session)
    const api = new Transport({ url: site.url, ...QUICK, authorizer: speaker })
    assert.deepEqual(await api.get('/x'), { user: 'asha' })
    speaker.person = await session.identity()
    assert.deepEqual(await api.get('/x'), { user: 'asha' })
    logins.expire()
    assert.deepEqual(await api.get('/x'), { user: 'asha' })
    await session.login({ username: 'ravi', password: 'p' })
    site.asked = []
    await assert.rejects(api.post('/mine', { of: 'asha' }), (error: LoginNeeded) => error.code === 'session_changed')
    assert.deepEqual(site.asked, [])
    speaker.person = await session.identity()
    assert.deepEqual(await api.get('/x'), { user: 'ravi' })
  })

  it('are gone after a logout, even one in the middle of a refresh', async () => {
    const { session, api } = await loggedIn()
    logins.expire()
    let out: Promise<void> | undefined
    logins.refreshing = () => void (out ??= session.logout())
    await api.get('/x').catch((error: unknown) => assert.ok(error instanceof LoginNeeded))
    await out
    assert.equal(await session.identity(), null)
    assert.equal(await tab().session.identity(), null)
    assert.equal(site.at(LOGOUT).at(-1)?.headers.authorization, 'Bearer s1.a2')
  })

  it('are not the used-up ones, although the keychain failed to take the next', async () => {
    const { session, api } = await loggedIn()
    logins.expire()
    const { set } = store
    store.set = async () => Promise.reject(new Error('the keychain is locked'))
    await assert.rejects(api.get('/x'), /keychain/)
    await assert.rejects(session.identity(), /keychain/)
    store.set = set
    assert.deepEqual(await api.get('/x'), { user: 'asha' })
    logins.expire()
    await tab().api.get('/x')
    assert.deepEqual(site.at(REFRESH).map(({ body }) => body), ['{"refresh_token":"s1.r1"}', '{"refresh_token":"s1.r2"}'])
  })

  it('are gone when they cannot be read: somebody logs in, on the same installation', async () => {
    await loggedIn()
    await store.set('cotton.session', '{"access": "s1.a')
    const { session, api } = tab()
    await assert.rejects(api.get('/x'), (error: LoginNeeded) => error.code === 'not_logged_in')
    await session.login({ username: 'asha', password: 'p' })
    const { device } = JSON.parse(site.at(LOGIN).at(-1)?.body ?? '') as { device: object }
    assert.deepEqual(device, { id: 'd', token: 'dt1' })
  })
})

describe('a session that the server ends', () => {
  it('is ended once, for all requests, and says why', async () => {
    const { session, api, endings } = await loggedIn()
    logins.end()
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => api.get('/x')))
    assert.ok(all.every((one) => one.status === 'rejected' && one.reason instanceof LoginNeeded))
    assert.deepEqual([endings, await session.identity(), store.kept.has('cotton.session')], [['session_ended'], null, false])
  })

  it('is ended by a refused refresh', async () => {
    const { api, endings } = await loggedIn()
    logins.expire()
    logins.refreshing = () => logins.end()
    await assert.rejects(api.get('/x'), (error: LoginNeeded) => error.code === 'refresh_refused')
    assert.deepEqual(endings, ['refresh_refused'])
  })
})

describe('a wrong clock', () => {
  const signer = (): ReturnType<typeof subtleSigner> => {
    let pair: Awaited<ReturnType<typeof webcrypto.subtle.generateKey>> | null = null
    const box = { load: async () => pair as never, save: async (made: unknown) => void (pair = made as never) }
    return subtleSigner(webcrypto.subtle as never, box)
  }
  const secondsOff = ({ headers }: Asked, now: number): number => {
    const claims = Buffer.from(String(headers['dpop']).split('.')[1] ?? '', 'base64url').toString()
    return Math.abs((JSON.parse(claims) as { iat: number }).iat - now / 1000)
  }
  const checking = (now: () => number) => (asked: Asked, response: ServerResponse) => {
    if (secondsOff(asked, now()) > DAY / 1000) json(response, 401, { code: 'refresh_refused' })
  }

  for (const days of [-4000, -3, 3, 4000]) {
    it(`is not in the proofs: off by ${days} days from the beginning`, async () => {
      const now = Date.now
      logins.refreshing = checking(now)
      await withClock(days * DAY, async () => {
        const { api } = await loggedIn('asha', { signer: signer() })
        logins.expire()
        assert.deepEqual(await api.get('/x'), { user: 'asha' })
      })
      assert.deepEqual(site.at(REFRESH).map((asked) => secondsOff(asked, now()) < 60), [true])
    })

    it(`is found out by a refused proof: off by ${days} days after a restart`, async () => {
      const now = Date.now
      logins.refreshing = checking(now)
      const key = signer()
      await loggedIn('asha', { signer: key })
      logins.expire()
      const { api, endings } = tab({ signer: key })
      await withClock(days * DAY, async () => assert.deepEqual(await api.get('/x'), { user: 'asha' }))
      assert.deepEqual([site.at(REFRESH).length, endings], [2, []])
    })
  }

  it('does not let a refused refresh be asked for again and again', async () => {
    const key = signer()
    await loggedIn('asha', { signer: key })
    logins.expire()
    const other = (): string => new Date(Date.now() + site.asked.length * DAY).toUTCString()
    logins.refreshing = (_, response) => json(response, 401, { code: 'refresh_refused' }, { date: other() })
    await withClock(5 * DAY, () => assert.rejects(tab({ signer: key }).api.get('/x'), LoginNeeded))
    assert.equal(site.at(REFRESH).length, 2)
  })

  it('does not change how long a server that names a date is left alone', async () => {
    site.answering = (_, response) => {
      if (site.asked.length > 1) return json(response, 200, {})
      const [date, later] = [new Date('2026-11-23T10:00:00Z'), new Date('2026-11-23T10:00:01Z')]
      json(response, 503, { code: 'busy' }, { date: date.toUTCString(), 'retry-after': later.toUTCString() })
    }
    const began = performance.now()
    await withClock(-9 * DAY, () => new Transport({ url: site.url, ...QUICK }).get('/'))
    assert.ok(performance.now() - began > 950)
    assert.equal(site.asked.length, 2)
  })
})

describe('what is used up by its use', () => {
  it("is sent once: a second factor's code, and a code by phone", async () => {
    const { session } = tab()
    site.answering = (_, response) => response.destroy()
    await assert.rejects(session.login({ username: 'asha', password: 'p', code: '123456' }), NetworkError)
    await assert.rejects(session.verifyCode({ request_id: 'r', code: '123456' }), NetworkError)
    assert.equal(site.asked.length, 2)
    await assert.rejects(session.login({ username: 'asha', password: 'p' }), NetworkError)
    assert.equal(site.asked.length, 5)
  })
})

it('names the installation and the app with every request, and nothing of them to a server that is not asked as somebody', async () => {
  const { api } = await loggedIn('asha', { device: { app_version: '1.2' } })
  await api.post('/x', {})
  const { headers } = site.at('/x')[0] ?? assert.fail()
  assert.deepEqual([headers['cotton-device'], headers['cotton-app-version']], ['d', '1.2'])
})

it('is called off although nobody has asked yet', async () => {
  const { session } = await loggedIn()
  const abort = new AbortController()
  const late = { headers: async () => (abort.abort(), session.headers('GET', '')), renew: async () => false }
  site.answering = () => undefined
  await assert.rejects(new Transport({ url: site.url, ...QUICK, authorizer: late }).get('/x', { signal: abort.signal }), Cancelled)
})
