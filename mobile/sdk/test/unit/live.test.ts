/** The live connection by itself: hints become one sync, what is lost is mended by a heartbeat, and nothing is left running. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Database } from '@nozbe/watermelondb'

import { LiveConnection, LoginNeeded } from '../../src'
import type { CottonSync, LiveFrame, LiveOptions, LiveSocket } from '../../src'
import { open } from '../support/database'
import { APP } from '../support/device'

const later = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
const CURSOR = '__watermelon_last_pulled_at'

class Wire implements LiveSocket {
  static all: Wire[] = []
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  sent: LiveFrame[] = []
  closed = false
  constructor(
    readonly url: string,
    readonly protocols: string[] = [],
  ) {
    Wire.all.push(this)
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as LiveFrame)
  }
  close(): void {
    this.closed = true
  }
  tell(frame: LiveFrame | string): void {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) } as never)
  }
  end(code: number): void {
    this.onclose?.({ code } as never)
  }
}

interface Bench {
  live: LiveConnection
  syncs: number[]
  states: string[]
  renewed: string[]
  database: Database
  wire(): Wire
}

/** A connection whose syncs are counted and pull up to `upTo()`; `ends` says whether they work. */
async function bench(options: Partial<LiveOptions> = {}, { upTo = () => 10, works = () => true, loggedIn = () => true } = {}): Promise<Bench> {
  Wire.all = []
  const database = await open('loki', APP)
  const [syncs, states, renewed] = [[] as number[], [] as string[], [] as string[]]
  const cotton = {
    sync: async () => {
      syncs.push(Date.now())
      if (!works()) throw new Error('no')
      await database.adapter.setLocal(CURSOR, String(upTo()))
    },
    session: {
      headers: async () => {
        if (!loggedIn()) throw new LoginNeeded('not_logged_in')
        return { authorization: `Bearer token${renewed.length}` }
      },
      renew: async (code: string) => (renewed.push(code), true),
    },
  } as unknown as Pick<CottonSync, 'session' | 'sync'>
  const quick = { debounceMs: 10, pollMs: 0, backoffMs: { first: 10, longest: 40 }, openMs: 200, random: () => 0.5 }
  const live = new LiveConnection(cotton, database, {
    url: 'https://erp.example.com/', WebSocket: Wire, onState: (state) => states.push(state), ...quick, ...options,
  })
  const wire = (): Wire => Wire.all.at(-1) as Wire
  return { live, syncs, states, renewed, database, wire }
}

async function connected(options: Partial<LiveOptions> = {}, more = {}): Promise<Bench> {
  const made = await bench(options, more)
  made.live.start()
  await later(5)
  made.wire().tell({ type: 'hello', clock: 0, heartbeat: 1 })
  return made
}

describe('the live connection', () => {
  it('says who asks in a subprotocol, and never in the address', async () => {
    const { live, wire } = await connected({ channels: ['entity:trades:t1'] })
    assert.equal(wire().url, 'wss://erp.example.com/api/v1/live')
    assert.deepEqual(wire().protocols, ['cotton.live.v1', 'cotton.bearer.token0'])
    assert.deepEqual(wire().sent, [{ type: 'subscribe', channel: 'entity:trades:t1' }])
    live.stop()
  })

  it('makes one sync of many hints', async () => {
    const { live, syncs, wire } = await connected()
    for (let clock = 1; clock <= 5; clock += 1) wire().tell({ type: 'hint', clock, entities: ['trades'] })
    await later(60)
    assert.equal(syncs.length, 1)
    live.stop()
  })

  it('passes over what it has pulled already, and over what it does not know', async () => {
    const { live, syncs, database, wire } = await connected()
    await database.adapter.setLocal(CURSOR, '7')
    wire().tell({ type: 'hint', clock: 7, entities: ['trades'] })
    wire().tell({ type: 'fireworks' })
    wire().tell('nonsense')
    await later(60)
    assert.equal(syncs.length, 0)
    live.stop()
  })

  it('pulls whatever it has when it is told to', async () => {
    const { live, syncs, database, wire } = await connected()
    await database.adapter.setLocal(CURSOR, '7')
    wire().tell({ type: 'hint', clock: 7, entities: [] })
    await later(60)
    assert.equal(syncs.length, 1)
    live.stop()
  })

  it('mends a lost hint by the next heartbeat, and a failed sync by the one after', async () => {
    let works = false
    const { live, syncs, wire } = await connected({}, { works: () => works })
    wire().tell({ type: 'heartbeat', clock: 9, due: 9 })
    await later(60)
    works = true
    wire().tell({ type: 'heartbeat', clock: 9, due: 9 })
    await later(60)
    wire().tell({ type: 'heartbeat', clock: 12, due: 9 })
    await later(60)
    assert.equal(syncs.length, 2)
    live.stop()
  })

  it('syncs again for what is told during a sync', async () => {
    let upTo = 3
    const { live, syncs, wire } = await connected({}, { upTo: () => upTo })
    wire().tell({ type: 'hint', clock: 3, entities: ['trades'] })
    await later(17)
    upTo = 5
    wire().tell({ type: 'hint', clock: 5, entities: ['trades'] })
    await later(80)
    assert.equal(syncs.length, 2)
    live.stop()
  })

  it('pulls what it missed when it comes back, later each time it fails', async () => {
    const { live, syncs, states, wire } = await connected()
    wire().end(1001)
    assert.equal(live.state, 'waiting')
    await later(30)
    wire().tell({ type: 'hello', clock: 4, heartbeat: 1 })
    await later(60)
    assert.equal(syncs.length, 1)
    assert.deepEqual(states, ['connecting', 'live', 'waiting', 'connecting', 'live'])
    live.stop()
  })

  it('gives up a connection that has gone quiet, and one that does not open', async () => {
    const quiet = await connected()
    quiet.wire().tell({ type: 'hello', clock: 0, heartbeat: 0.02 })
    await later(120)
    assert.ok(Wire.all.length > 1)
    assert.ok(Wire.all[0]?.closed)
    quiet.live.stop()

    const deaf = await bench({ openMs: 20 })
    deaf.live.start()
    await later(120)
    assert.ok(Wire.all.length > 1)
    deaf.live.stop()
  })

  it('proves itself with a newer token in band, and gets one after it ran out', async () => {
    const { live, renewed, wire } = await connected()
    wire().tell({ type: 'expiring', expires_in: 50 })
    await later(10)
    assert.deepEqual(wire().sent, [{ type: 'auth', token: 'token1' }])
    wire().end(4002)
    await later(40)
    assert.deepEqual(renewed, ['token_expired', 'token_expired'])
    assert.deepEqual(wire().protocols[1], 'cotton.bearer.token2')
    live.stop()
  })

  it('syncs once when its session ended, to hear why, and stops without a login', async () => {
    let loggedIn = true
    const { live, syncs, wire } = await connected({}, { loggedIn: () => loggedIn })
    loggedIn = false
    wire().end(4001)
    await later(60)
    assert.equal(syncs.length, 1)
    assert.equal(live.state, 'stopped')
  })

  it('syncs now and then while there is no connection, and not while there is one', async () => {
    const { live, syncs, wire } = await bench({ pollMs: 20, openMs: 500 })
    live.start()
    await later(100)
    assert.ok(syncs.length >= 2, `${syncs.length} syncs`)
    wire().tell({ type: 'hello', clock: 0, heartbeat: 10 })
    await later(30)
    const before = syncs.length
    await later(100)
    assert.equal(syncs.length, before)
    live.stop()
  })

  it('rests without a network and in the background, and leaves nothing running', async () => {
    let [network, screen] = [(_: boolean): void => undefined, (_: boolean): void => undefined]
    const { live, syncs, wire } = await connected({
      pollMs: 15,
      onNetwork: (heard) => ((network = heard), () => undefined),
      onForeground: (heard) => ((screen = heard), () => undefined),
    })
    const first = wire()
    network(false)
    screen(false)
    assert.equal(live.state, 'resting')
    assert.ok(first.closed)
    first.tell({ type: 'hint', clock: 9, entities: ['trades'] })
    network(true)
    await later(60)
    assert.deepEqual([Wire.all.length, syncs.length], [1, 0])
    screen(true)
    await later(10)
    assert.equal(Wire.all.length, 2)
    live.stop()
    await later(60)
    assert.deepEqual([Wire.all.length, syncs.length, live.state], [2, 0, 'stopped'])
  })
})
