/** One upload by itself: whatever goes wrong on the way, all bytes arrive, once, in order, or the error says why not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { NetworkError, SyncError, Transport } from '../../src'
import { platformDigest } from '../../src/filebytes'
import { Tus } from '../../src/tus'
import { Depot, photo, problem, sourceOf } from '../support/depot'
import type { Mishap } from '../support/depot'
import { Random } from '../support/random'

const KIB = 1024

function bench(now?: () => number): { depot: Depot; tus: Tus } {
  const depot = new Depot()
  return { depot, tus: new Tus(new Transport({ url: 'http://erp', fetch: depot.fetch }), platformDigest(), now) }
}

const code = (expected: string) => (error: unknown) => error instanceof SyncError && error.code === expected

describe('an upload', () => {
  it('sends parts that grow while they arrive quickly, and tells how far it is', async () => {
    const { depot, tus } = bench(() => 0)
    const bytes = photo(new Random(), 900 * KIB)
    const told: number[] = []
    assert.equal(await tus.upload('a1', sourceOf(bytes), { onSent: (sent) => told.push(sent) }), 'there')

    assert.deepEqual(depot.parts.map((size) => size / KIB), [64, 128, 256, 452])
    assert.deepEqual(told.map((sent) => sent / KIB), [0, 64, 192, 448, 900])
    assert.ok(depot.bytesOf('a1').equals(bytes))
  })

  it('sends smaller parts where they take long, or do not arrive', async () => {
    let clock = 0
    const { depot, tus } = bench(() => (clock += 20_000))
    await tus.upload('a1', sourceOf(photo(new Random(), 200 * KIB)))
    assert.deepEqual(depot.parts.map((size) => size / KIB), [64, 32, 16, 16, 16, 16, 16, 16, 8])

    const other = bench()
    other.depot.mishap = (method) => (method === 'PATCH' ? 'cut' : 'none')
    await assert.rejects(other.tus.upload('a1', sourceOf(photo(new Random(), 200 * KIB))), NetworkError)
    assert.equal(other.tus.pace.bytes, 32 * KIB)
  })

  it('sends nothing of what is there already', async () => {
    const { depot, tus } = bench()
    const source = sourceOf(photo(new Random(), 100 * KIB))
    await tus.upload('a1', source)
    assert.equal(await tus.upload('a1', source), 'there')
    assert.equal(depot.taken, 100 * KIB)
  })

  it('says that it is still being looked at, and no more', async () => {
    const { depot, tus } = bench()
    depot.held.set('a1', { size: 10, parts: [new Uint8Array(10)], verified: false })
    assert.equal(await tus.upload('a1', sourceOf(new Uint8Array(10))), 'checking')
    assert.equal(depot.taken, 0)
  })

  it('asks how far it is when a part begins elsewhere, and begins anew when it is gone', async () => {
    const { depot, tus } = bench()
    const bytes = photo(new Random(), 300 * KIB)
    const faults = [() => depot.held.get('a1')?.parts.push(bytes.slice(0, 5000)), () => undefined, () => depot.expire()]
    depot.instead = (method) => (method === 'PATCH' && faults.shift()?.(), null)
    assert.equal(await tus.upload('a1', sourceOf(bytes)), 'there')

    assert.equal(depot.asked.filter((asked) => asked === 'GET a1').length, 1)
    assert.ok(depot.bytesOf('a1').equals(bytes))
  })

  it('sends a damaged part again, a few times', async () => {
    const { depot, tus } = bench()
    const bytes = photo(new Random(), 100 * KIB)
    let damaged = 3
    depot.mishap = (method) => (method === 'PATCH' && damaged-- > 0 ? 'damaged' : 'none')
    assert.equal(await tus.upload('a1', sourceOf(bytes)), 'there')
    assert.ok(depot.bytesOf('a1').equals(bytes))

    depot.mishap = (method) => (method === 'PATCH' ? 'damaged' : 'none')
    await assert.rejects(tus.upload('a2', sourceOf(bytes)), code('checksum_mismatch'))
    assert.equal(depot.bytesOf('a2').length, 0)
  })

  it('sends less at once where a proxy takes less', async () => {
    const { depot, tus } = bench()
    const bytes = photo(new Random(), 100 * KIB)
    let patches = 0
    depot.instead = (method) => (method === 'PATCH' && patches++ === 0 ? { status: 413 } : null)
    assert.equal(await tus.upload('a1', sourceOf(bytes)), 'there')
    assert.equal(depot.parts[0], 32 * KIB)
  })

  it('takes the page of a Wi-Fi for no answer', async () => {
    const { depot, tus } = bench()
    depot.instead = () => ({ status: 200, body: { hello: 'log in' } })
    await assert.rejects(tus.upload('a1', sourceOf(new Uint8Array(10))), NetworkError)
  })

  it('throws what the server refuses', async () => {
    const { depot, tus } = bench()
    depot.instead = (method) => (method === 'PATCH' ? problem(422, 'bytes_refused') : null)
    await assert.rejects(tus.upload('a1', sourceOf(new Uint8Array(10))), code('bytes_refused'))
  })

  it('brings all bytes, once and in order, over any network, if it is begun again and again', async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const random = new Random(seed)
      const { depot, tus } = bench()
      const bytes = photo(random, 1 + random.below(400 * KIB))
      const mishaps: Mishap[] = ['none', 'none', 'none', 'cut', 'lost', 'damaged']
      depot.mishap = () => random.pick(mishaps)
      depot.instead = () => (random.chance(0.03) && depot.expire(), null)
      let there = false
      for (let run = 0; !there; run += 1) {
        assert.ok(run < 500, `seed ${seed}`)
        there = await tus.upload('a1', sourceOf(bytes)).then((how) => how === 'there', () => false)
      }
      assert.ok(depot.bytesOf('a1').equals(bytes), `seed ${seed}`)
    }
  })
})
