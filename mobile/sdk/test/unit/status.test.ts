/** The status tells those who listen, of now and of each change; the log keeps the newest fifty. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { PushCounter } from '../../src/counter'
import { Status } from '../../src/status'
import { localStore } from '../../src/storage'
import { SyncLog } from '../../src/synclog'
import { KINDS, open } from '../support/database'
import { APP } from '../support/device'

describe('the status', () => {
  it('tells of now, of changes, and not of what stays', () => {
    const status = new Status()
    const heard: number[] = []
    const stop = status.subscribe(({ pending }) => heard.push(pending))
    status.change({ pending: 1 })
    status.change({ pending: 1 })
    stop()
    status.change({ pending: 2 })

    assert.deepEqual(heard, [0, 1])
    assert.equal(status.value.pending, 2)
  })

  it('goes on telling when a listener throws', () => {
    const broken: unknown[] = []
    const status = new Status((error) => broken.push(error))
    let deaf = true
    status.subscribe(() => {
      if (!deaf) throw new Error('a screen broke')
    })
    deaf = false
    const heard: number[] = []
    status.subscribe(({ pending }) => heard.push(pending))
    status.change({ pending: 3 })

    assert.deepEqual(heard, [0, 3])
    assert.match(String(broken), /a screen broke/)
  })
})

for (const kind of KINDS) {
  describe(`what is kept (${kind})`, () => {
    it('is the newest fifty syncs', async () => {
      const database = await open(kind, APP)
      const log = new SyncLog(database)
      for (let at = 1; at <= 60; at += 1) await log.add({ at, ms: 1, cursor: null, sent: 0, received: 0, requests: 1, verdicts: {}, stuck: 0 })

      const kept = await new SyncLog(database).read()
      assert.deepEqual([kept.length, kept[0]?.at, kept[49]?.at], [50, 11, 60])
    })

    it('is the number of a push, the same again for a repetition, also after a restart', async () => {
      const store = localStore(await open(kind, APP))
      const numbers = []
      for (const push of ['a', 'a', 'b', 'b', 'c']) numbers.push(await new PushCounter(store).numberOf(push))

      assert.deepEqual(numbers, [1, 1, 2, 2, 3])
    })
  })
}
