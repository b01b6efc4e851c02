/** A bad network: answers lost, requests doubled, connections cut anywhere. Everything arrives, nothing twice. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { Cutter } from '../support/cutter'
import { Device, assertQuiet, branchOf, contents, serverUrl } from '../support/device'
import type { Fault } from '../support/device'
import { create, remove, update } from '../support/edits'
import { Random } from '../support/random'
import { partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'

describe('a bad network', () => {
  let reader: Device

  before(async () => {
    reader = await Device.of('agent2')
    await reader.sync()
  })

  for (const [method, fault] of [
    ['GET', 'lost'],
    ['GET', 'doubled'],
    ['POST', 'lost'],
    ['POST', 'doubled'],
  ] as [('GET' | 'POST'), Fault][]) {
    it(`takes a ${fault} ${method} as if it had gone well`, async () => {
      const device = await Device.of('agent1')
      await device.sync()
      const [created, updated, deleted] = [random.id(), random.id(), random.id()]
      const branch = await branchOf(device)
      await create(device.database, table, updated, partner(branch, 'To change'))
      await create(device.database, table, deleted, partner(branch, 'To go'))
      await device.sync()
      await device.sync()
      await create(device.database, table, created, partner(branch, 'New'))
      await update(device.database, table, updated, { trade_name: 'Changed' })
      await remove(device.database, table, deleted)

      device.faults[method] = fault
      const outcome = device.sync()
      if (fault === 'lost') await assert.rejects(outcome)
      else await outcome
      device.faults[method] = 'none'
      await device.sync()
      await device.sync()
      await reader.sync()

      assert.equal((await reader.row(table, created))?.['legal_name'], 'New')
      assert.equal((await reader.row(table, updated))?.['trade_name'], 'Changed')
      assert.equal(await reader.row(table, deleted), undefined)
      assert.deepEqual((await contents(device))[table], (await contents(reader))[table])
      assert.deepEqual(await device.rows('sync_issues'), [])
      await assertQuiet(device, reader)
    })
  }

  it('survives connections that are cut after any number of bytes', async () => {
    const cutter = await Cutter.before(serverUrl())
    after(() => cutter.close())
    const device = await Device.of('agent1', { url: cutter.url })
    await device.sync()
    const branch = await branchOf(device)
    const made: string[] = []

    for (let round = 0; round < 40; round += 1) {
      made.push(random.id())
      await create(device.database, table, made.at(-1) ?? '', partner(branch, `Cut ${round}`))
      if (made.length > 3) await update(device.database, table, random.pick(made), { trade_name: `round ${round}` })
      cutter.up = random.chance(0.5) ? random.below(2500) : Infinity
      cutter.down = random.chance(0.5) ? random.below(2500) : Infinity
      await device.sync().catch(() => undefined)
    }
    assert.ok(cutter.cuts > 5, `only ${cutter.cuts} connections were cut`)
    cutter.up = cutter.down = Infinity
    await device.syncTwice()
    await device.syncTwice()
    await reader.sync()

    const found = (await reader.rows(table)).map((row) => row.id)
    assert.deepEqual(made.filter((id) => !found.includes(id)), [])
    assert.deepEqual((await contents(device))[table], (await contents(reader))[table])
    assert.deepEqual(await device.rows('sync_issues'), [])
    await assertQuiet(device, reader)
  })
})
