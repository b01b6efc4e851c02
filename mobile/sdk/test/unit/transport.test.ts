/** Requests over a real socket: an answer is whole or an error, what may help is tried again, and every wait can be called off. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'

import { Cancelled, LoginNeeded, NetworkError, SyncError } from '../../src/errors'
import { Turns } from '../../src/lock'
import { Session } from '../../src/session'
import { Transport } from '../../src/transport'
import type { TransportOptions } from '../../src/transport'
import { keychain } from '../support/phone'

type Answering = (request: IncomingMessage, response: ServerResponse, body: string) => void
const QUICK = { attempts: 3, backoffMs: { first: 1, longest: 2 } }

let answering: Answering
let asked: { url: string; headers: IncomingMessage['headers']; body: string }[]
let url: string
const server = createServer((request, response) => {
  let body = ''
  request.on('data', (part) => (body += part))
  request.on('end', () => {
    asked.push({ url: request.url ?? '', headers: request.headers, body })
    answering(request, response, body)
  })
})

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
}
const transport = (options: Partial<TransportOptions> = {}): Transport => new Transport({ url, ...QUICK, ...options })

before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(() => (asked = []))
after(() => server.close())

describe('a request', () => {
  it('gives the parsed answer, and sends JSON', async () => {
    answering = (_, response) => json(response, 200, { fine: true })
    assert.deepEqual(await transport().post('/a', { b: 1 }), { fine: true })
    assert.deepEqual([asked[0]?.url, asked[0]?.body, asked[0]?.headers['content-type']], ['/a', '{"b":1}', 'application/json'])
  })

  it('is sent again after a connection that broke, and after answers of a server in trouble', async () => {
    answering = (request, response) => {
      if (asked.length === 1) request.socket.destroy()
      else if (asked.length === 2) json(response, 503, { code: 'busy' })
      else json(response, 200, { at: asked.length })
    }
    assert.deepEqual(await transport().get('/'), { at: 3 })
  })

  it('is no answer if it was cut off, or empty, however well it began', async () => {
    for (const text of ['', '{"changes": {"trades"', '{}x']) {
      asked = []
      answering = (_, response) => response.writeHead(200).end(text)
      await assert.rejects(transport().get('/'), NetworkError)
      assert.equal(asked.length, 3)
    }
    answering = (_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"half": 1')
      setTimeout(() => response.destroy(), 5)
    }
    await assert.rejects(transport().get('/'), NetworkError)
  })

  it('is not sent again when that would not help', async () => {
    answering = (_, response) => json(response, 422, { code: 'unknown_member', detail: 'No such member.', pointer: '/x' })
    await assert.rejects(transport().get('/'), (error: SyncError) => {
      assert.deepEqual([error.status, error.code, error.detail, error.problem['pointer']], [422, 'unknown_member', 'No such member.', '/x'])
      return true
    })
    assert.equal(asked.length, 1)
  })

  it('waits as long as the server asks, and leaves a long wait to its caller', async () => {
    const waits = (header: string) => {
      asked = []
      answering = (_, response) => (asked.length === 1 ? json(response, 429, { code: 'too_many_requests' }, { 'retry-after': header }) : json(response, 200, {}))
      return transport().get('/')
    }
    const began = Date.now()
    await waits('1')
    assert.ok(Date.now() - began >= 990)
    await assert.rejects(waits('120'), (error: SyncError) => error.waitMs === 120_000)
    assert.equal(asked.length, 1)
  })

  it('is given up after its time, and called off at any moment', async () => {
    answering = () => undefined
    await assert.rejects(transport({ timeoutMs: 20, attempts: 1 }).get('/'), NetworkError)
    for (const ms of [0, 10]) {
      const abort = new AbortController()
      setTimeout(() => abort.abort(), ms)
      await assert.rejects(transport().get('/', { signal: abort.signal }), Cancelled)
    }
    answering = (_, response) => json(response, 503, {}, { 'retry-after': '20' })
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 20)
    await assert.rejects(transport().get('/', { signal: abort.signal }), Cancelled)
  })

  it('makes an error of what a proxy says', async () => {
    answering = (_, response) => response.writeHead(404).end('<html>nginx</html>')
    await assert.rejects(transport().get('/'), (error: SyncError) => error.code === 'http_error' && error.detail === '<html>nginx</html>')
  })
})

// --- The session ---

/** A server of logins: tokens are numbered, an access token lives until it is expired by hand. */
class Logins {
  access = 0
  valid = new Set<string>()
  refreshes: string[] = []
  ended = false
  loseAnswers = 0

  answer: Answering = (request, response, body) => {
    if (request.url === '/api/v1/auth/login') return json(response, 200, this.grant({ device_token: 'dt' }))
    if (request.url === '/api/v1/auth/refresh') return this.refresh(response, (JSON.parse(body) as { refresh_token: string }).refresh_token)
    if (this.ended) return json(response, 401, { code: 'session_ended' })
    if (this.valid.has(String(request.headers.authorization))) return json(response, 200, { fine: true })
    return json(response, 401, { code: 'token_expired' })
  }

  private refresh(response: ServerResponse, token: string): void {
    this.refreshes.push(token)
    if (this.ended) return json(response, 401, { code: 'refresh_refused' })
    if (this.loseAnswers-- > 0) return void response.destroy()
    json(response, 200, this.grant({}))
  }

  private grant(more: object): object {
    this.access += 1
    this.valid = new Set([`Bearer a${this.access}`])
    const who = { org_id: 'o', user_id: 'u', session_id: 's', device_id: 'd' }
    return { access_token: `a${this.access}`, refresh_token: `r${this.access}`, expires_in: 600, ...who, ...more }
  }
}

async function loggedIn(store = keychain()): Promise<{ logins: Logins; session: Session; api: Transport; store: ReturnType<typeof keychain> }> {
  const logins = new Logins()
  answering = logins.answer
  const session = new Session({ url, store, ...QUICK, lock: new Turns() })
  await session.login({ username: 'u', password: 'p' })
  return { logins, session, api: transport({ authorizer: session }), store }
}

describe('a session', () => {
  it('refreshes once for any number of requests that one expired token let down', async () => {
    const { logins, api } = await loggedIn()
    logins.valid.clear()
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.get('/x')))
    assert.equal(answers.length, 10)
    assert.deepEqual(logins.refreshes, ['r1'])
  })

  it('sends the same refresh again when its answer is lost', async () => {
    const { logins, api } = await loggedIn()
    logins.valid.clear()
    logins.loseAnswers = 2
    assert.deepEqual(await api.get('/x'), { fine: true })
    assert.deepEqual(logins.refreshes, ['r1', 'r1', 'r1'])
  })

  it('is shared by two tabs: the second finds what the first was given', async () => {
    const { logins, api, store } = await loggedIn()
    const lock = new Turns()
    const [one, two] = [1, 2].map(() => transport({ authorizer: new Session({ url, store, ...QUICK, lock }) })) as [Transport, Transport]
    await Promise.all([one.get('/x'), two.get('/x')])
    logins.valid.clear()
    await Promise.all([one.get('/x'), two.get('/x')])
    assert.deepEqual(logins.refreshes, ['r1'])
    assert.ok(api)
  })

  it('is replaced before it ends by the time since it came, however wrong the clock is', async () => {
    const { logins, api } = await loggedIn()
    const now = Date.now
    try {
      Date.now = () => now() + 580_000
      await api.get('/x')
      assert.deepEqual(logins.refreshes, ['r1'])
      Date.now = () => now() - 86_400_000
      await api.get('/x')
      assert.deepEqual(logins.refreshes, ['r1', 'r2'])
    } finally {
      Date.now = now
    }
  })

  it('says when somebody has to log in again, and keeps the installation', async () => {
    const { logins, session, api, store } = await loggedIn()
    const endings: string[] = []
    session.onEnded((code) => endings.push(code))
    logins.ended = true
    await assert.rejects(api.get('/x'), (error: LoginNeeded) => error instanceof LoginNeeded && error.code === 'session_ended')
    await assert.rejects(api.get('/x'), LoginNeeded)
    assert.deepEqual(endings, ['session_ended'])
    assert.equal(await session.identity(), null)
    logins.ended = false
    await session.login({ username: 'u', password: 'p' })
    const { device } = JSON.parse(asked[asked.length - 1]?.body ?? '{}') as { device: unknown }
    assert.deepEqual(device, { id: 'd', token: 'dt' })
    assert.ok(store.kept.has('cotton.device'))
  })

  it('does not end because there is no network', async () => {
    const { logins, session, api } = await loggedIn()
    logins.valid.clear()
    logins.loseAnswers = 99
    await assert.rejects(api.get('/x'), NetworkError)
    assert.equal((await session.identity())?.userId, 'u')
  })
})

describe('a lock', () => {
  it('lets work of one name go one after the other, and goes on after a failure', async () => {
    const [turns, seen] = [new Turns(), [] as string[]]
    const work = (name: string, fails = false) => async () => {
      seen.push(`${name} begins`)
      await new Promise((done) => setTimeout(done, 2))
      seen.push(`${name} ends`)
      if (fails) throw new Error(name)
    }
    const all = [turns.run('x', work('a', true)), turns.run('x', work('b')), turns.run('y', work('c'))]
    await Promise.allSettled(all)
    assert.ok(seen.indexOf('a ends') < seen.indexOf('b begins'))
    assert.ok(seen.indexOf('c begins') < seen.indexOf('a ends'))
  })

  it('is not waited for after it was called off', async () => {
    const [turns, abort] = [new Turns(), new AbortController()]
    const first = turns.run('x', () => new Promise((done) => setTimeout(done, 10)))
    const second = turns.run('x', async () => assert.fail('it was called off'), abort.signal)
    abort.abort()
    await assert.rejects(second, Cancelled)
    await first
  })
})
