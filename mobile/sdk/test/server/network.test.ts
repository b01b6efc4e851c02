/**
 * Phones with the whole SDK at random, on a network that drops, doubles, delays and cuts, with tokens that expire and edits in
 * the middle of a sync. Afterwards every bale that anybody added is counted once, and all hold the same.
 *
 * COTTON_TEST_SEED plays a run again.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { Turns } from '../../src/lock'
import { Cutter } from '../support/cutter'
import type { Kind } from '../support/database'
import { serverUrl } from '../support/device'
import { add, create, remove, update } from '../support/edits'
import { Offline, Phone, assertInSync, holdings } from '../support/phone'
import type { Network } from '../support/phone'
import { Random } from '../support/random'
import { createSamples, partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'
const STEPS = Number(process.env['COTTON_TEST_STEPS'] ?? 150)
const USERS: [string, Kind][] = [
  ['agent1', 'sqlite'],
  ['agent2', 'loki'],
  ['agent3', 'sqlite'],
]
const EXPIRED = JSON.stringify({ code: 'token_expired', detail: 'The token has expired.' })

type Fault = 'none' | 'before' | 'after' | 'doubled' | 'delayed' | 'cut' | 'expired'
const FAULTS: Fault[] = ['none', 'none', 'none', 'before', 'after', 'doubled', 'delayed', 'cut', 'expired']

/** A network that does one thing to each request, drawn; `during` happens while it is on its way. */
function bad(during: () => Promise<void>): Network {
  return async (next, url) => {
    const fault = random.pick(FAULTS)
    if (random.chance(0.2)) await during()
    if (fault === 'before') throw new Offline()
    if (fault === 'expired' && !url.includes('/auth/')) return { status: 401, text: async () => EXPIRED }
    if (fault === 'delayed') await new Promise((done) => setTimeout(done, random.below(40)))
    const [answer] = fault === 'doubled' ? (await Promise.all([next(), next()])).reverse() : [await next()]
    if (answer === undefined || fault === 'after') throw new Offline()
    const text = await answer.text()
    if (random.chance(0.2)) await during()
    const cut = fault === 'cut' ? text.slice(0, random.below(text.length)) : text
    return { status: answer.status, ...(answer.headers ? { headers: answer.headers } : {}), text: async () => cut }
  }
}

describe('phones on a bad network', () => {
  let cutter: Cutter
  before(async () => {
    cutter = await Cutter.before(serverUrl())
  })
  after(() => cutter.close())

  it('count every bale once, and converge', async () => {
    const phones = await Promise.all(USERS.map(([username, kind]) => Phone.of(username, { kind, url: username === 'agent3' ? cutter.url : serverUrl() })))
    for (const phone of phones) await phone.sync()
    const [first] = phones as [Phone, ...Phone[]]
    const branch = String((await first.rows(table))[0]?.['branch_id'])
    const samples = await createSamples(first as never, random)
    const lot = samples.availabilities
    await first.sync()
    for (const phone of phones) await phone.sync()
    let bales = 0
    const made: string[] = []

    const edit = async (phone: Phone): Promise<void> => {
      if (random.chance(0.5) && bales < 90) {
        bales += 1
        await add(phone.database, 'availabilities', lot, 'bales_reserved', 1)
      } else if (random.chance(0.5) || made.length === 0) {
        const id = random.id()
        made.push(id)
        await create(phone.database, table, id, partner(branch, `Made ${made.length}`))
      } else {
        await update(phone.database, table, random.pick(made), { trade_name: `Edited ${random.below(1000)}` })
      }
    }
    for (const phone of phones) phone.network = bad(() => edit(phone))
    const ended = new Map<string, number>()
    for (let step = 0; step < STEPS; step += 1) {
      const phone = random.pick(phones)
      cutter.up = random.chance(0.2) ? random.below(4000) : Infinity
      cutter.down = random.chance(0.2) ? random.below(4000) : Infinity
      if (random.chance(0.6)) await edit(phone)
      const all = random.chance(0.2) ? phones : [phone]
      for (const outcome of await Promise.allSettled(all.map((each) => each.sync()))) {
        const { code, name } = outcome.status === 'fulfilled' ? { code: 'done', name: '' } : (outcome.reason as { code?: string; name: string })
        const how = code ?? name
        ended.set(how, (ended.get(how) ?? 0) + 1)
      }
    }
    console.log(Object.fromEntries(ended))
    assert.ok((ended.get('done') ?? 0) > 0 && (ended.get('NetworkError') ?? 0) > 0)
    assert.deepEqual([...ended.keys()].filter((how) => !['done', 'NetworkError', 'token_expired'].includes(how)), [])

    cutter.up = cutter.down = Infinity
    for (const phone of phones) phone.network = (next) => next()
    for (let round = 0; round < 2; round += 1) for (const phone of phones) await phone.sync()
    for (const phone of phones) {
      assert.equal((await phone.row('availabilities', lot))?.['bales_reserved'], bales)
      const found = new Set((await phone.rows(table)).map((row) => row.id))
      assert.deepEqual(made.filter((id) => !found.has(id)), [])
      assert.deepEqual((await holdings(phone))[table], (await holdings(first))[table])
    }
    await assertInSync(...phones)
  })

  it('lets the newer edit win though one clock is three days off', async () => {
    const [right, wrong] = [await Phone.of('agent1'), await Phone.of('agent2')]
    await right.sync()
    const ids = await createSamples(right as never, random)
    await right.sync()
    await wrong.sync()
    const id = ids.quality_inspections
    const [newer, older] = [1_795_400_000_000, 1_795_300_000_000]
    await update(right.database, 'quality_inspections', id, { inspected_at: newer })
    await right.sync()
    const now = Date.now
    try {
      // An hour before the other by true time, and three days after it by this phone's clock.
      Date.now = () => now() + 3 * 86_400_000 - 3_600_000
      await update(wrong.database, 'quality_inspections', id, { inspected_at: older })
      Date.now = () => now() + 3 * 86_400_000
      await wrong.sync()
    } finally {
      Date.now = now
    }
    await right.sync()
    for (const phone of [right, wrong]) assert.equal((await phone.row('quality_inspections', id))?.['inspected_at'], newer)
    await assertInSync(right, wrong)
  })

  it('lets two tabs, or a background task, sync one database at once', async () => {
    const phone = await Phone.of('agent1', { lock: new Turns() })
    const background = await Phone.of('agent1', { database: phone.database, store: phone.store, lock: new Turns() })
    await phone.sync()
    const samples = await createSamples(phone as never, random)
    await phone.sync()
    const lot = samples.availabilities
    for (let bales = 1; bales <= 20; bales += 1) {
      await update(phone.database, 'availabilities', lot, { bales_reserved: bales })
      await Promise.allSettled([phone.sync(), background.sync(), phone.sync()])
    }
    const made = random.id()
    await create(phone.database, table, made, partner(String((await phone.rows(table))[0]?.['branch_id']), 'To go'))
    await remove(phone.database, table, made)
    await background.sync()
    await phone.sync()
    assert.equal((await phone.row('availabilities', lot))?.['bales_reserved'], 20)
    await assertInSync(phone)
  })
})
