/** Two phones change the same record: columns that do not overlap are merged, a true clash goes to the app's resolver. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'

import { SyncError } from '../../src'
import { KINDS, complaints } from '../support/database'
import { Device, assertQuiet, branchOf } from '../support/device'
import { create, remove, update } from '../support/edits'
import { Random } from '../support/random'
import { partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'

for (const kind of KINDS) {
  describe(`conflicts (${kind})`, () => {
    let one: Device
    let two: Device
    let id: string

    async function newPartner(): Promise<void> {
      id = random.id()
      const branch = await branchOf(one)
      await create(one.database, table, id, partner(branch, 'Before'))
      await one.sync()
      await Promise.all([one.sync(), two.sync()])
    }

    before(async () => {
      ;[one, two] = [await Device.of('agent1', { kind }), await Device.of('agent2', { kind })]
      await Promise.all([one.sync(), two.sync()])
    })

    /** Sync `one`, and let `two` push between its pull and its push. */
    async function racing(): Promise<void> {
      one.beforePush = () => {
        one.beforePush = async () => undefined
        return two.sync()
      }
      await one.sync()
    }

    it('merges columns that do not overlap', async () => {
      await newPartner()
      await update(one.database, table, id, { trade_name: 'of one' })
      await update(two.database, table, id, { address: 'of two' })

      await racing()
      await Promise.all([one.sync(), two.sync()])

      for (const device of [one, two]) {
        const row = await device.row(table, id)
        assert.deepEqual([row?.['trade_name'], row?.['address']], ['of one', 'of two'])
      }
      await assertQuiet(one, two)
    })

    it('answers a true clash with 409 and the conflicts; the retry lets the client win', async () => {
      await newPartner()
      await update(one.database, table, id, { trade_name: 'of one', remarks: 'mine' })
      await update(two.database, table, id, { trade_name: 'of two' })

      await assert.rejects(racing(), (error: SyncError) => {
        assert.deepEqual([error.status, error.code], [409, 'conflict'])
        const [conflict] = error.problem['conflicts'] as { table: string; id: string; columns: Record<string, object> }[]
        assert.deepEqual([conflict?.table, conflict?.id], [table, id])
        assert.deepEqual(conflict?.columns['trade_name'], { base: null, ours: 'of two', theirs: 'of one' })
        return true
      })
      assert.equal((await one.row(table, id))?._status, 'updated')
      await one.sync()
      await Promise.all([one.sync(), two.sync()])

      for (const device of [one, two]) assert.equal((await device.row(table, id))?.['trade_name'], 'of one')
      await assertQuiet(one, two)
    })

    it('applies nothing of a push that clashes', async () => {
      await newPartner()
      const other = random.id()
      const branch = await branchOf(one)
      await create(one.database, table, other, partner(branch, 'Beside'))
      await update(one.database, table, id, { trade_name: 'of one' })
      await update(two.database, table, id, { trade_name: 'of two' })

      await assert.rejects(racing(), SyncError)
      await two.sync()
      assert.equal(await two.row(table, other), undefined)

      await one.sync()
      await two.sync()
      assert.ok(await two.row(table, other))
      await one.sync()
      await assertQuiet(one, two)
    })

    it("gives the app's conflictResolver its turn", async () => {
      await newPartner()
      await update(one.database, table, id, { trade_name: 'of one' })
      await update(two.database, table, id, { trade_name: 'of two' })
      await assert.rejects(racing(), SyncError)

      await one.sync({
        conflictResolver: (_table, local, remote, resolved) =>
          local['id'] === id ? { ...resolved, trade_name: `${remote['trade_name']}, ${local['trade_name']}` } : resolved,
      })
      await Promise.all([one.sync(), two.sync()])

      for (const device of [one, two]) assert.equal((await device.row(table, id))?.['trade_name'], 'of two, of one')
      await assertQuiet(one, two)
    })

    it('does not resurrect a record that was deleted meanwhile', async () => {
      await newPartner()
      await update(one.database, table, id, { trade_name: 'too late' })
      await remove(two.database, table, id)

      await racing()
      await one.sync()
      await Promise.all([one.sync(), two.sync()])

      for (const device of [one, two]) assert.equal(await device.row(table, id), undefined)
      const issues = (await one.rows('sync_issues')).filter((row) => row['record_id'] === id)
      assert.deepEqual(issues.map((row) => row['reason_code']), ['deleted_meanwhile'])
      await assertQuiet(one, two)
    })

    it('ignores a deletion of what another phone deleted before', async () => {
      await newPartner()
      await Promise.all([remove(one.database, table, id), remove(two.database, table, id)])

      await racing()
      await Promise.all([one.sync(), two.sync()])

      for (const device of [one, two]) assert.equal(await device.row(table, id), undefined)
      await assertQuiet(one, two)
    })

    it('keeps an edit that is made while the push is under way, and pushes it later', async () => {
      await newPartner()
      await update(one.database, table, id, { trade_name: 'first' })
      one.duringPush = async () => {
        one.duringPush = async () => undefined
        await update(one.database, table, id, { address: 'meanwhile' })
      }

      await one.sync()
      assert.equal((await one.row(table, id))?._status, 'updated')
      await one.sync()
      await Promise.all([one.sync(), two.sync()])

      for (const device of [one, two]) {
        const row = await device.row(table, id)
        assert.deepEqual([row?.['trade_name'], row?.['address']], ['first', 'meanwhile'])
      }
      await assertQuiet(one, two)
    })

    it('never brings back a record that was created, pushed and deleted here (echo)', async () => {
      const branch = await branchOf(one)
      id = random.id()
      await create(one.database, table, id, partner(branch, 'Short-lived'))
      one.faults.POST = 'lost'
      await assert.rejects(one.sync())
      one.faults.POST = 'none'
      await remove(one.database, table, id)

      await one.sync()
      await Promise.all([one.sync(), two.sync()])

      for (const device of [one, two]) assert.equal(await device.row(table, id), undefined)
      await assertQuiet(one, two)
    })

    it('never brings back a record whose push was answered and which was deleted before the next pull', async () => {
      const branch = await branchOf(one)
      id = random.id()
      await create(one.database, table, id, partner(branch, 'Short-lived'))
      await one.sync()
      await remove(one.database, table, id)

      await one.sync({ pushChanges: async () => Promise.reject(new Error('no signal')) }).catch(() => undefined)
      assert.equal(await one.row(table, id), undefined)
      await one.sync()
      await two.sync()

      assert.equal(await two.row(table, id), undefined)
      assert.deepEqual(complaints, [])
      await assertQuiet(one, two)
    })
  })
}
