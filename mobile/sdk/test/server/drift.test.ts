/** Drift against a real server: what differs is found and repaired, the rest is neither written nor sent. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { checkDrift, heal, repair } from '../../src/drift'
import { KINDS } from '../support/database'
import { Device, assertQuiet, branchOf, contents } from '../support/device'
import { Counting, spoil } from '../support/drifting'
import { create, remove, update } from '../support/edits'
import { Random } from '../support/random'
import { partner } from '../support/samples'

const random = new Random()

for (const kind of KINDS) {
  describe(`drift (${kind})`, () => {
    it('is not found where there is none', async () => {
      const device = await Device.of('manager', { kind })
      await device.sync()
      const drift = await checkDrift(device.database, new Counting('manager'))
      assert.deepEqual([drift?.tables, drift?.more], [{}, false])
    })

    it('is found and repaired: rows that are gone, bent or nobody\'s', async () => {
      const device = await Device.of('manager', { kind })
      await device.sync()
      const before = await contents(device)
      const spoilt = await spoil(device, 3)
      const foreign = { ...partner(await branchOf(device), 'nobody'), id: 'nobodys', _status: 'synced', _changed: '' }
      const collection = device.database.get('business_partners')
      await device.database.write(() => device.database.batch(collection.prepareCreateFromDirtyRaw(foreign)))

      const drift = await checkDrift(device.database, new Counting('manager'))
      assert.deepEqual(Object.keys(drift?.tables ?? {}), ['business_partners'])
      assert.ok(drift)
      const done = await repair(device.database, drift)

      assert.deepEqual(done?.destroyed['business_partners'], ['nobodys'])
      for (const id of spoilt) assert.ok(done?.written['business_partners']?.includes(id))
      assert.deepEqual(await contents(device), before)
      assert.equal(await heal(device.database, new Counting('manager')), 0)
      await assertQuiet(device)
    })

    it('leaves unsynced edits, creations and deletions alone', async () => {
      const device = await Device.of('agent1', { kind })
      const created = random.id()
      await create(device.database, 'business_partners', created, partner(await seen(device), 'Made here'))
      const [edited, deleted] = (await device.rows('business_partners')).filter((row) => row._status === 'synced').map((row) => row.id)
      assert.ok(edited && deleted)
      await update(device.database, 'business_partners', edited, { remarks: 'written here' })
      await remove(device.database, 'business_partners', deleted)
      const before = await contents(device)

      assert.equal(await heal(device.database, new Counting('agent1')), 0)
      await spoil(device, 0)
      await heal(device.database, new Counting('agent1'))

      assert.deepEqual(await contents(device), before)
      const rows = new Map((await device.rows('business_partners')).map((row) => [row.id, row]))
      assert.deepEqual([rows.get(created)?._status, rows.get(edited)?._status], ['created', 'updated'])
      assert.equal(rows.get(edited)?.['remarks'], 'written here')
    })

    it('is not repaired by an answer that a sync has overtaken', async () => {
      const device = await Device.of('manager', { kind })
      await device.sync()
      await spoil(device, 1)
      const drift = await checkDrift(device.database, new Counting('manager'))
      assert.ok(drift)
      assert.equal(await repair(device.database, { ...drift, cursor: drift.cursor - 1 }), null)
      assert.ok((await heal(device.database, new Counting('manager'))) > 0)
    })
  })
}

async function seen(device: Device): Promise<string> {
  await device.sync()
  return branchOf(device)
}
