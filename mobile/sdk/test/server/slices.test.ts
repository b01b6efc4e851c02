/** Answers in slices: the own work first, nothing fetched twice after a kill, one moment over all of them, exact progress. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { getLastPulledAt } from '@nozbe/watermelondb/sync/impl'

import { TABLES } from '../../src'
import type { SyncStatus } from '../../src'
import { Turns } from '../../src/lock'
import { KINDS, open } from '../support/database'
import { APP } from '../support/device'
import { add, create, update } from '../support/edits'
import { Killer } from '../support/kill'
import { Offline, Phone, assertInSync, holdings, keychain } from '../support/phone'
import type { Network } from '../support/phone'
import { Random } from '../support/random'
import { createSamples, partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'
const sliceBytes = 16 * 1024
const LARGER = 64 * 1024
const STEPS_MAX = 200

/** Fails after so many requests. */
function breaking(after: number): Network {
  let left = after
  return async (next) => {
    if (left-- <= 0) throw new Offline()
    return next()
  }
}

async function count(phone: Phone): Promise<number> {
  return (await Promise.all(TABLES.map((name) => phone.rows(name)))).flat().length
}

for (const kind of KINDS) {
  describe(`slices (${kind})`, () => {
    it('bring a first sync piece by piece, with the inbox and the work before what seldom changes', async () => {
      const [phone, whole] = [await Phone.of('agent1', { kind, sliceBytes }), await Phone.of('agent1', { kind })]
      const told: SyncStatus['progress'][] = []
      phone.cotton.subscribe(({ progress }) => told.push(progress))
      phone.network = breaking(4)
      await assert.rejects(phone.sync(), { name: 'NetworkError' })
      assert.ok((await count(phone)) > 0, 'what came is there already')
      assert.deepEqual(await phone.rows('units'), [])
      assert.equal(await getLastPulledAt(phone.database), null)

      phone.network = (next) => next()
      phone.requests = []
      await phone.sync()
      await whole.sync()
      assert.deepEqual(await holdings(phone), await holdings(whole))
      await assertInSync(phone)
      const totals = new Set(told.map((one) => one?.rowsTotal).filter((total) => typeof total === 'number'))
      assert.deepEqual([...totals], [await count(phone)], 'how much is to come was known from the first slice on')
      const steps = told.filter((one) => typeof one?.rowsTotal === 'number').map((one) => one?.rows ?? 0)
      assert.deepEqual(steps, [...steps].sort((left, right) => left - right))
    })

    it('put a later answer together, and write it at once', async () => {
      const [phone, other] = [await Phone.of('agent1', { kind, sliceBytes: 4096 }), await Phone.of('agent2', { kind })]
      await phone.sync()
      await other.sync()
      const ids = Array.from({ length: 40 }, () => random.id())
      const branch = String((await other.rows(table))[0]?.['branch_id'])
      for (const id of ids) await create(other.database, table, id, partner(branch, `Partner ${id}`))
      await other.sync()
      const before = await count(phone)
      phone.network = breaking(2)
      await assert.rejects(phone.sync(), { name: 'NetworkError' })
      assert.equal(await count(phone), before, 'nothing of a newer moment stands beside the old cursor')
      phone.network = (next) => next()
      await phone.sync()
      assert.equal(await count(phone), before + 40)
      await assertInSync(phone, other)
    })

    it('count what is edited between two of them once', async () => {
      const [phone, other] = [await Phone.of('agent1', { kind, sliceBytes: 4096 }), await Phone.of('agent2', { kind })]
      await phone.sync()
      const { availabilities: lot } = await createSamples(phone as never, random)
      await phone.sync()
      await other.sync()
      const branch = String((await other.rows(table))[0]?.['branch_id'])
      for (let made = 0; made < 30; made += 1) await create(other.database, table, random.id(), partner(branch, 'Many'))
      await add(other.database, 'availabilities', lot, 'bales_reserved', 20)
      await other.sync()
      let bales = 0
      phone.network = async (next) => {
        const answer = await next()
        if (bales < 3) await add(phone.database, 'availabilities', lot, 'bales_reserved', 1)
        bales += 1
        return answer
      }
      await phone.sync()
      await phone.sync()
      await other.sync()
      for (const each of [phone, other]) assert.equal((await each.row('availabilities', lot))?.['bales_reserved'], 23)
      await assertInSync(phone, other)
    })

    it('begin anew when the rest is gone, and leave nothing behind that was deleted meanwhile', async () => {
      const phone = await Phone.of('agent1', { kind, sliceBytes })
      const whole = await Phone.of('agent2', { kind })
      await whole.sync()
      let asked = 0
      phone.network = async (next) => {
        asked += 1
        if (asked !== 4) return next()
        const [first] = await phone.rows(table)
        if (first) {
          await update(phone.database, table, first.id, { trade_name: 'Edited half-way' })
        }
        return { status: 410, text: async () => JSON.stringify({ code: 'slices_gone', detail: 'Gone.' }) }
      }
      await phone.sync()
      phone.network = (next) => next()
      await phone.sync()
      assert.ok(asked > 4)
      await assertInSync(phone)
    })
  })
}

describe('an app that is killed between slices', () => {
  let folder: string
  before(() => void (folder = mkdtempSync(join(tmpdir(), 'cotton-slices-'))))
  after(() => rmSync(folder, { recursive: true }))

  it('goes on with the slice that was missing, wherever it was killed', async () => {
    const whole = await Phone.of('agent1')
    await whole.sync()
    let killed = true
    for (let at = 1; killed; at += 4) {
      assert.ok(at < STEPS_MAX, 'a sync has fewer steps')
      const [store, file] = [keychain(), join(folder, `${at}.db`)]
      const phone = await Phone.of('agent1', { file, store, lock: new Turns(), sliceBytes: LARGER })
      const killer = new Killer(at, at % 2 === 0)
      killer.watch(phone.database)
      phone.network = killer.network
      killed = await Promise.race([phone.sync().then(() => false), killer.death.then(() => true)])
      const reopened = await Phone.of('agent1', { database: await open('sqlite', APP, file), store, lock: new Turns(), sliceBytes: LARGER })
      await reopened.sync()
      assert.ok(phone.requests.length + reopened.requests.length <= whole.requests.length + 2 + (await slices(reopened)), `step ${at}`)
      assert.deepEqual(await holdings(reopened), await holdings(whole), `killed at step ${at}`)
      await assertInSync(reopened)
    }
  })
})

let known = 0
/** How many requests a first sync in slices takes. */
async function slices(phone: Phone): Promise<number> {
  if (known === 0) {
    const fresh = await Phone.of('agent1', { sliceBytes: LARGER })
    await fresh.sync()
    known = fresh.requests.length
  }
  return known + (phone.requests.length > 0 ? 1 : 0)
}
