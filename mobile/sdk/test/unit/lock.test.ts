/** Turns: one at a time, whoever fails or gives up; in one process and, by the browser's locks, between tabs. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as after } from 'node:timers/promises'

import { Cancelled } from '../../src/errors'
import { TabTurns, Turns } from '../../src/lock'
import type { Lock, WebLocks } from '../../src/lock'

/** The browser's locks by the Web Locks specification, as far as they are used: a queue, and AbortError for who gives up. */
class BrowserLocks implements WebLocks {
  private readonly queue = new Turns()

  async request<T>(name: string, { signal }: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T> {
    return this.queue.run(name, work, signal).catch((error: unknown) => {
      throw error instanceof Cancelled ? new DOMException('The request was aborted.', 'AbortError') : error
    })
  }
}

const LOCKS: [string, () => Lock][] = [
  ['in one process', () => new Turns()],
  ['between tabs', () => new TabTurns(new BrowserLocks())],
]

for (const [where, make] of LOCKS) {
  describe(`turns ${where}`, () => {
    it('never overlap, and come in the order in which they were asked for', async () => {
      const lock = make()
      const seen: string[] = []
      const works = Array.from({ length: 20 }, (_, number) =>
        lock.run('x', async () => {
          seen.push(`${number} begins`)
          await after(number % 3)
          seen.push(`${number} ends`)
          if (number % 4 === 1) throw new Error(`${number}`)
          return number
        }),
      )
      const ended = await Promise.allSettled(works)

      assert.deepEqual(seen, Array.from({ length: 20 }, (_, number) => [`${number} begins`, `${number} ends`]).flat())
      assert.deepEqual(ended.map((one) => one.status === 'rejected'), ended.map((_, number) => number % 4 === 1))
    })

    it('of different names do not wait for each other', async () => {
      const lock = make()
      const abort = new AbortController()
      const long = lock.run('x', () => after(10_000, null, { signal: abort.signal }))
      assert.equal(await lock.run('y', async () => 'at once'), 'at once')
      abort.abort()
      await assert.rejects(long, { name: 'AbortError' })
    })

    it('are not waited for after the waiting was called off, and the next does not begin too early', async () => {
      const lock = make()
      const abort = new AbortController()
      let first = true
      let end = (): void => undefined
      const one = lock.run('x', () => new Promise<void>((done) => (end = done))).finally(() => (first = false))
      const two = lock.run('x', async () => assert.fail('it was called off'), abort.signal)
      const three = lock.run('x', async () => assert.equal(first, false))
      abort.abort()
      await assert.rejects(two, Cancelled)
      assert.equal(first, true)

      const four = lock.run('x', async () => assert.equal(first, false))
      await after(5)
      end()
      await Promise.all([one, three, four])
    })

    it('do not come for what was called off before', async () => {
      const work = async (): Promise<void> => assert.fail('it was called off')
      await assert.rejects(make().run('x', work, AbortSignal.abort()), Cancelled)
    })

    it('end when the work ends, and not when it is called off', async () => {
      const lock = make()
      const abort = new AbortController()
      const one = lock.run('x', () => after(20, 'done all the same'), abort.signal)
      await after(1)
      abort.abort()
      assert.equal(await one, 'done all the same')
    })
  })
}
