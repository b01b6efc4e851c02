/**
 * A server of the tests on a real socket, which answers as it is told, and the logins of one user that it may know.
 *
 * Owns: what was asked, and the answers. Must not know: what the SDK does.
 * Invariant: the rules of refreshing are the server's own: a token has one successor, given again while that is unused
 * (sync_server/identity/refreshing.py).
 */
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  path: string
  headers: IncomingHttpHeaders
  body: string
}
export type Answering = (request: Asked, response: ServerResponse) => void

export class Site {
  asked: Asked[] = []
  answering: Answering = (_, response) => json(response, 200, {})
  private readonly server: Server = createServer((request, response) => this.take(request, response))

  async open(): Promise<void> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done))
  }

  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** What was asked at a path, oldest first. */
  at(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path)
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    let body = ''
    request.on('data', (part) => (body += part))
    request.on('end', () => {
      const asked = { path: request.url ?? '', headers: request.headers, body }
      this.asked.push(asked)
      this.answering(asked, response)
    })
  }
}

export function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
}

export const LOGIN = '/api/v1/auth/login'
export const REFRESH = '/api/v1/auth/refresh'
export const LOGOUT = '/api/v1/auth/logout'

/** The logins of one installation: the newest session lives, and its newest access token, until it is expired by hand. */
export class Logins {
  /** Called with each refresh; true: it has answered by itself. */
  refreshing: Answering = () => undefined
  private session = 0
  private pair = 0
  private user = ''
  private expired = false
  private ended = false

  readonly answer: Answering = (asked, response) => {
    if (asked.path === LOGIN) return this.login(asked, response)
    if (asked.path === REFRESH) return this.refresh(asked, response)
    const said = asked.headers.authorization ?? ''
    if (!said.startsWith(`Bearer s${this.session}.`) || this.ended) return json(response, 401, { code: 'session_ended' })
    if (said !== `Bearer s${this.session}.a${this.pair}` || this.expired) return json(response, 401, { code: 'token_expired' })
    json(response, 200, { user: this.user })
  }

  expire(): void {
    this.expired = true
  }

  /** End the session, as an administrator does. */
  end(): void {
    this.ended = true
  }

  grant(more: object = {}): object {
    const who = { org_id: 'o', user_id: this.user, session_id: `s${this.session}`, device_id: 'd' }
    const pair = { access_token: `s${this.session}.a${this.pair}`, refresh_token: `s${this.session}.r${this.pair}` }
    return { ...pair, ...who, token_type: 'Bearer', expires_in: 600, ...more }
  }

  private login({ body }: Asked, response: ServerResponse): void {
    this.session += 1
    this.pair = 1
    this.ended = this.expired = false
    this.user = (JSON.parse(body) as { username: string }).username
    json(response, 200, this.grant({ device_token: `dt${this.session}` }))
  }

  private refresh(asked: Asked, response: ServerResponse): void {
    this.refreshing(asked, response)
    if (response.headersSent || response.destroyed) return
    const token = (JSON.parse(asked.body) as { refresh_token: string }).refresh_token
    const again = token === `s${this.session}.r${this.pair - 1}`
    if (this.ended || !(again || token === `s${this.session}.r${this.pair}`)) return json(response, 401, { code: 'refresh_refused' })
    if (!again) this.pair += 1
    this.expired = false
    json(response, 200, this.grant())
  }
}
