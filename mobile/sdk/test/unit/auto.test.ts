/** Syncing by itself: after edits, when network or app come back, later and later after failures, and never once it is stopped. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Database } from '@nozbe/watermelondb'

import { Auto } from '../../src/auto'
import type { AutoOptions, Ended } from '../../src/auto'
import { open } from '../support/database'
import { APP } from '../support/device'
import { create } from '../support/edits'

const later = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** An Auto whose syncs are counted; `ended` says how each of them goes. */
async function counted(options: AutoOptions, ended: () => Ended = () => ({ ok: true, again: true })): Promise<{ auto: Auto; at: number[]; database: Database }> {
  const database = await open('loki', APP)
  const at: number[] = []
  const auto = new Auto(
    database,
    async () => {
      at.push(Date.now())
      return ended()
    },
    { everyMs: 0, debounceMs: 20, ...options },
  )
  return { auto, at, database }
}

describe('syncing by itself', () => {
  it('begins at once, and waits for a moment of quiet after edits', async () => {
    const { auto, at, database } = await counted({})
    auto.start()
    await later(10)
    assert.equal(at.length, 1)
    for (let edit = 0; edit < 5; edit += 1) await create(database, 'business_partners', `p${edit}`, {})
    await later(60)
    auto.stop()
    assert.equal(at.length, 2)
  })

  it('rests while there is no network or nobody looks, and begins again when they come back', async () => {
    let [network, screen] = [(_: boolean): void => undefined, (_: boolean): void => undefined]
    const { auto, at, database } = await counted({
      onNetwork: (heard) => ((network = heard), () => undefined),
      onForeground: (heard) => ((screen = heard), () => undefined),
    })
    auto.start()
    await later(10)
    network(false)
    await create(database, 'business_partners', 'p', {})
    await later(40)
    assert.equal(at.length, 1)
    network(true)
    await later(10)
    assert.equal(at.length, 2)
    screen(false)
    await create(database, 'business_partners', 'q', {})
    await later(40)
    assert.equal(at.length, 2)
    screen(true)
    await later(10)
    auto.stop()
    assert.equal(at.length, 3)
  })

  it('waits longer after each failure, as long as the server asks, and not for ever', async () => {
    const waits: number[] = []
    const { auto, at } = await counted(
      { backoffMs: { first: 4, longest: 40 }, random: () => 1 },
      () => ({ ok: false, again: true, ...(at.length === 2 ? { waitMs: 60 } : {}) }),
    )
    auto.start()
    await later(260)
    auto.stop()
    for (let next = 1; next < at.length; next += 1) waits.push((at[next] ?? 0) - (at[next - 1] ?? 0))
    assert.ok(waits.length >= 5, String(waits))
    assert.ok((waits[0] ?? 0) >= 7 && (waits[1] ?? 0) >= 59 && (waits[2] ?? 0) >= 30, String(waits))
  })

  it('does not try again what trying again does not help', async () => {
    const { auto, at } = await counted({ backoffMs: { first: 1, longest: 2 } }, () => ({ ok: false, again: false }))
    auto.start()
    await later(40)
    auto.stop()
    assert.equal(at.length, 1)
  })

  it('leaves nothing behind when it is stopped', async () => {
    const { auto, at, database } = await counted({ everyMs: 5 })
    auto.start()
    await later(20)
    auto.stop()
    const before = at.length
    await create(database, 'business_partners', 'p', {})
    await later(40)
    assert.equal(at.length, before)
  })
})
