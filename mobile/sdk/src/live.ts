/**
 * The live connection: the server says when there is something to sync, and this syncs.
 *
 * What it brings are hints: losing one costs time, never data. Each heartbeat says up to where a phone should have pulled, and while
 * there is no connection it syncs now and then.
 *
 * Owns: the socket, when it is opened again, and when a hint becomes a sync. Must not know: what a sync does.
 * Invariant: one socket at a time; many hints are one sync; after `stop`, and while the app is in the background or without a
 * network, neither a socket nor a timer is left (test/unit/live.test.ts, test/server/live.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'
import { getLastPulledAt } from '@nozbe/watermelondb/sync/impl'

import type { Surroundings } from './auto'
import { boundOf } from './backoff'
import type { Backoff } from './backoff'
import type { CottonSync } from './cotton'
import { LoginNeeded } from './errors'
import { frameOf, platformSocket } from './socket'
import type { LiveFrame, LiveSocket, LiveSocketClass, LiveState } from './socket'

export interface LiveOptions extends Surroundings {
  /** The server's root: `https://erp.example.com`. */
  url: string
  /** Default: that of the platform. */
  WebSocket?: LiveSocketClass
  /** Channels beside one's own and the organisation's, e.g. `entity:trades:t1`. */
  channels?: string[]
  /** Hears every frame, for screens that show who else is there. */
  onFrame?: (frame: LiveFrame) => void
  onState?: (state: LiveState) => void
  /** Milliseconds from a hint to the sync, drawn between this and twice this, so that not all phones pull at once; default 300. */
  debounceMs?: number
  /** Milliseconds between syncs while there is no connection; default 60 000; 0: never. */
  pollMs?: number
  /** The first and the longest wait before it is tried again. Each is drawn between half a bound that doubles and the bound. */
  backoffMs?: Backoff
  /** Milliseconds until a connection that does not open is given up; default 15 000. */
  openMs?: number
  random?: () => number
}

type Timer = ReturnType<typeof setTimeout>
type TimerName = 'quiet' | 'again' | 'poll' | 'sync'
const TIMERS: readonly TimerName[] = ['quiet', 'again', 'poll', 'sync']

const PROTOCOL = 'cotton.live.v1'
const BEARER = 'cotton.bearer.'
const GONE_QUIET = 2.5
const [ENDED, EXPIRED, UNREADABLE, TOO_MANY, TOO_BIG] = [4001, 4002, 4007, 4009, 1009]
/** After these nothing is mended by trying again soon. */
const OURS: ReadonlySet<number> = new Set([UNREADABLE, TOO_MANY, TOO_BIG])
const FIRST_HEARTBEAT_S = 25

export class LiveConnection {
  state: LiveState = 'stopped'
  private socket: LiveSocket | null = null
  private said: Record<string, string> = {}
  private heartbeatMs = FIRST_HEARTBEAT_S * 1000
  private failures = 0
  private online = true
  private active = true
  private started = false
  /** Up to where the server said that this phone should have pulled; Infinity: whatever it has. */
  private due = 0
  private syncing = false
  private readonly timers: Partial<Record<TimerName, Timer>> = {}
  private readonly stops: (() => void)[] = []

  constructor(
    private readonly cotton: Pick<CottonSync, 'session' | 'sync'>,
    private readonly database: Database,
    private readonly options: LiveOptions,
  ) {}

  /** Connect, and stay connected. */
  start(): void {
    if (this.started) return
    this.started = true
    const { onNetwork, onForeground } = this.options
    if (onNetwork) this.stops.push(onNetwork((online) => this.moved({ online })))
    if (onForeground) this.stops.push(onForeground((active) => this.moved({ active })))
    this.begin()
  }

  stop(): void {
    this.started = false
    for (const stop of this.stops.splice(0)) stop()
    this.rest('stopped')
  }

  /** Say something to the server, if there is a connection: `{ type: 'subscribe', channel }`. */
  say(frame: Record<string, unknown>): void {
    if (this.state === 'live') this.socket?.send(JSON.stringify(frame))
  }

  // --- The connection ---

  private moved({ online = this.online, active = this.active }): void {
    const could = this.online && this.active
    ;[this.online, this.active] = [online, active]
    if (!this.started || could === (online && active)) return
    if (could) this.rest('resting')
    else this.begin()
  }

  private begin(): void {
    this.failures = 0
    this.poll()
    void this.connect()
  }

  /** Leave neither a socket nor a timer. */
  private rest(state: LiveState): void {
    for (const name of TIMERS) this.clear(name)
    this.drop()
    this.become(state)
  }

  private async connect(): Promise<void> {
    const { url, WebSocket = platformSocket() } = this.options
    this.become('connecting')
    try {
      this.said = await this.cotton.session.headers('GET', url)
    } catch (error) {
      // Without a login there is nothing to wait for: the app starts it again after one.
      if (error instanceof LoginNeeded) this.stop()
      else this.later()
      return
    }
    if (this.state !== 'connecting' || this.socket !== null) return
    const token = (this.said['authorization'] ?? '').replace(/^Bearer /, '')
    const address = `${url.replace(/\/+$/, '').replace(/^http/, 'ws')}/api/v1/live`
    this.listen(new WebSocket(address, [PROTOCOL, `${BEARER}${token}`]))
  }

  private listen(socket: LiveSocket): void {
    this.socket = socket
    this.at('quiet', this.options.openMs ?? 15_000, () => this.lost(0))
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (this.socket === socket) this.heard(frameOf(data))
    }
    socket.onclose = ({ code }: { code?: number }) => {
      if (this.socket === socket) this.lost(code ?? 0)
    }
    // What follows an error is a close, with its code.
    socket.onerror = () => undefined
  }

  /** The connection is gone, or has gone quiet. */
  private lost(code: number): void {
    this.drop()
    if (code === ENDED) void this.sync().then(() => this.later())
    else if (code === EXPIRED) void this.renew().then(() => this.later())
    else this.later(OURS.has(code))
  }

  /** Try again, the later the more often it failed. */
  private later(longest = false): void {
    if (!this.started || !this.online || !this.active) return
    const { backoffMs = { first: 1000, longest: 120_000 }, random = Math.random } = this.options
    const bound = longest ? backoffMs.longest : boundOf(backoffMs, this.failures)
    this.failures += 1
    this.become('waiting')
    this.poll()
    this.at('again', bound * (0.5 + random() / 2), () => void this.connect())
  }

  private drop(): void {
    const { socket } = this
    this.socket = null
    this.clear('quiet')
    if (socket === null) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close(1000)
  }

  // --- What the server says ---

  private heard(frame: LiveFrame | null): void {
    this.watch()
    if (frame === null) return
    this.options.onFrame?.(frame)
    if (frame.type === 'hello') this.welcome(frame)
    else if (frame.type === 'hint') this.owe(frame.entities?.length ? (frame.clock ?? 0) : Infinity)
    else if (frame.type === 'heartbeat') this.owe(frame.due ?? 0)
    else if (frame.type === 'expiring') void this.renew().then(() => this.prove())
  }

  private welcome({ clock = 0, heartbeat = FIRST_HEARTBEAT_S }: LiveFrame): void {
    this.heartbeatMs = heartbeat * 1000
    this.watch()
    this.failures = 0
    this.clear('poll')
    this.become('live')
    for (const channel of this.options.channels ?? []) this.say({ type: 'subscribe', channel })
    this.owe(clock)
  }

  private watch(): void {
    this.at('quiet', this.heartbeatMs * GONE_QUIET, () => this.lost(0))
  }

  /** Have the session get a newer token; one that cannot be had now shows when the connection is opened again. */
  private async renew(): Promise<void> {
    await this.cotton.session.renew('token_expired', this.said).catch(() => false)
  }

  private async prove(): Promise<void> {
    const said = await this.cotton.session.headers('GET', this.options.url).catch(() => null)
    if (said === null) return
    this.said = said
    this.say({ type: 'auth', token: (said['authorization'] ?? '').replace(/^Bearer /, '') })
  }

  // --- Syncing ---

  private owe(due: number): void {
    this.due = Math.max(this.due, due)
    const { debounceMs = 300, random = Math.random } = this.options
    if (this.due > 0 && this.timers.sync === undefined && !this.syncing) {
      this.at('sync', debounceMs * (1 + random()), () => void this.settle())
    }
  }

  /** Sync if this phone has pulled less than it should; what is said meanwhile comes after it. */
  private async settle(): Promise<void> {
    const { due } = this
    this.due = 0
    this.syncing = true
    // A database that cannot be read says so in the sync.
    const pulled = await getLastPulledAt(this.database).catch(() => null)
    const done = due <= (pulled ?? 0) || (await this.sync())
    this.syncing = false
    if (!done) this.due = Math.max(this.due, due)
    else if (this.due > 0 && this.started) this.owe(this.due)
  }

  /** A sync that nobody asked for throws nothing: CottonSync's status says how it ended, and the next heartbeat tries again. */
  private sync(): Promise<boolean> {
    return this.cotton.sync().then(
      () => true,
      () => false,
    )
  }

  private poll(): void {
    const { pollMs = 60_000, random = Math.random } = this.options
    if (pollMs > 0 && this.timers.poll === undefined) {
      this.at('poll', pollMs * (0.5 + random()), () => void this.sync().then(() => this.pollAgain()))
    }
  }

  private pollAgain(): void {
    if (this.state === 'connecting' || this.state === 'waiting') this.poll()
  }

  // --- Timers ---

  private become(state: LiveState): void {
    if (this.state === state) return
    this.state = state
    this.options.onState?.(state)
  }

  private at(name: TimerName, ms: number, then: () => void): void {
    this.clear(name)
    this.timers[name] = setTimeout(() => {
      delete this.timers[name]
      then()
    }, ms)
  }

  private clear(name: TimerName): void {
    const timer = this.timers[name]
    if (timer !== undefined) clearTimeout(timer)
    delete this.timers[name]
  }
}
