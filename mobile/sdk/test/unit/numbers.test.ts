/** Numbers taken offline: each once, whoever asks at the same time, whenever the app dies, whatever the server says. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { NetworkError } from '../../src/errors'
import { Numbers } from '../../src/numbers'
import type { NumberServer } from '../../src/numbers'
import { KINDS, open } from '../support/database'
import { APP } from '../support/device'
import { Random } from '../support/random'

const DAY = '2026-11-24'
const FAR = Date.now() + 86_400_000

interface Asked {
  count: number
  holds: string[]
  left: number
}

/** A server that leases as the real one does (tests/integration/test_numbers.py); answers can be lost. */
class Leases implements NumberServer {
  blocks: { id: string; first: number; last: number; used_to: number; expires_at: number }[] = []
  asked: Asked[] = []
  returned: Record<string, number>[] = []
  lose = false
  private next = 1

  async post<T>(path: string, body: unknown): Promise<T> {
    const answer = path.endsWith('/return') ? this.takeBack(body as { blocks: Record<string, number> }) : this.lease(body as Asked)
    await Promise.resolve()
    if (this.lose) throw new NetworkError('lost', null)
    return answer as T
  }

  private lease(asked: Asked): unknown {
    this.asked.push(asked)
    const unknown = this.blocks.filter(({ id }) => !asked.holds.includes(id))
    const inHand = asked.left + unknown.reduce((sum, one) => sum + one.last - Math.max(one.used_to, one.first - 1), 0)
    if (inHand < asked.count) {
      const last = this.next + asked.count - inHand - 1
      this.blocks.push({ id: `b${String(this.next)}`, first: this.next, last, used_to: 0, expires_at: FAR })
      this.next = last + 1
    }
    const series = { id: 's1', prefix: 'RJK/T', width: 4, starts_on: '2026-04-01', ends_on: '2027-03-31' }
    return { series, blocks: this.blocks.map((one) => ({ ...one })) }
  }

  private takeBack({ blocks }: { blocks: Record<string, number> }): null {
    this.returned.push(blocks)
    // What is before is on documents, and stays leased until they come.
    this.blocks = this.blocks.flatMap((one) => {
      const last = (blocks[one.id] ?? one.last + 1) - 1
      return last < one.first ? [] : [{ ...one, last }]
    })
    return null
  }
}

for (const kind of KINDS) {
  describe(`numbers (${kind})`, () => {
    it('are given in order, each once, also to many at a time, until none is left', async () => {
      const numbers = new Numbers(await open(kind, APP), new Leases(), { count: 6 })
      assert.equal(await numbers.take('trade', 'b1', DAY), null)
      await numbers.refill('trade', 'b1', DAY)
      const taken = await Promise.all(Array.from({ length: 7 }, () => numbers.take('trade', 'b1', DAY)))

      assert.deepEqual(taken, ['RJK/T0001', 'RJK/T0002', 'RJK/T0003', 'RJK/T0004', 'RJK/T0005', 'RJK/T0006', null])
      assert.equal(await numbers.take('trade', 'b1', '2027-04-01'), null)
    })

    it('go on where they were after a restart, and are asked for at low water only', async () => {
      const database = await open(kind, APP)
      const server = new Leases()
      await new Numbers(database, server, { count: 8, lowWater: 3 }).refill('trade', 'b1', DAY)
      const taken: (string | null)[] = []
      for (let n = 0; n < 6; n += 1) {
        const again = new Numbers(database, server, { count: 8, lowWater: 3 })
        taken.push(await again.take('trade', 'b1', DAY))
        await again.refill('trade', 'b1', DAY)
      }

      assert.equal(new Set(taken).size, 6)
      assert.deepEqual(server.asked.map(({ left }) => left), [0, 2])
      assert.equal(await new Numbers(database, server).left('trade', 'b1', DAY), 8)
    })

    it('are never given twice, whatever answers are lost, restarts happen and blocks are reclaimed', async () => {
      for (let seed = 0; seed < 12; seed += 1) {
        const random = new Random(seed)
        const database = await open(kind, APP)
        const server = new Leases()
        const taken: string[] = []
        for (let step = 0; step < 40; step += 1) {
          const numbers = new Numbers(database, server, { count: 5, lowWater: 3 })
          server.lose = random.chance(0.4)
          const dice = random.next()
          if (dice < 0.5) taken.push(...[await numbers.take('trade', 'b1', DAY)].filter((one) => one !== null))
          else if (dice < 0.85) await numbers.refill('trade', 'b1', DAY).catch(() => undefined)
          else if (dice < 0.95) await numbers.giveBack('trade', 'b1').catch(() => undefined)
          else server.blocks.shift()
        }
        assert.equal(new Set(taken).size, taken.length, `seed ${String(seed)}: ${taken.join(' ')}`)
      }
    })

    it('that were given back without an answer are not given, and go back again', async () => {
      const server = new Leases()
      const numbers = new Numbers(await open(kind, APP), server, { count: 5 })
      await numbers.refill('trade', 'b1', DAY)
      await numbers.take('trade', 'b1', DAY)
      server.lose = true
      await assert.rejects(numbers.giveBack('trade', 'b1'))
      server.lose = false
      assert.equal(await numbers.take('trade', 'b1', DAY), null)
      await numbers.giveBack('trade', 'b1')

      assert.deepEqual(server.returned, [{ b1: 2 }, { b1: 2 }])
    })

    it('of a block that the server does not list any more are not given', async () => {
      const server = new Leases()
      const numbers = new Numbers(await open(kind, APP), server, { count: 5, lowWater: 9 })
      await numbers.refill('trade', 'b1', DAY)
      server.blocks = []
      await numbers.refill('trade', 'b1', DAY)

      assert.equal(await numbers.left('trade', 'b1', DAY), 0)
    })
  })
}
