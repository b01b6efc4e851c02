/** The whole SDK against a real server: one round trip syncs, each verdict leaves the phone as the server is. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { KINDS } from '../support/database'
import { create, remove, update } from '../support/edits'
import { Offline, Phone, assertInSync, holdings } from '../support/phone'
import { Random } from '../support/random'
import { createSamples, partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'

async function branchOf(phone: Phone): Promise<string> {
  const [known] = await phone.rows(table)
  assert.ok(known, 'the first sync brought no partner')
  return String(known['branch_id'])
}

for (const kind of KINDS) {
  describe(`CottonSync (${kind})`, () => {
    it('syncs in one round trip, and two phones hold the same', async () => {
      const [phone, reader] = [await Phone.of('agent1', { kind }), await Phone.of('agent2', { kind })]
      await phone.sync()
      await createSamples(phone as never, random)
      phone.requests = []
      const done = await phone.sync()
      await reader.sync()

      assert.deepEqual(phone.requests, ['POST /api/v1/sync/exchange'])
      assert.deepEqual(new Set(done.verdicts.map(({ verdict }) => verdict)), new Set(['accepted']))
      await assertInSync(phone, reader)
    })

    it('merges what two phones changed, without a second round', async () => {
      const [phone, other] = [await Phone.of('agent1', { kind }), await Phone.of('agent2', { kind })]
      await phone.sync()
      const id = random.id()
      await create(phone.database, table, id, partner(await branchOf(phone), 'Both change it'))
      await phone.sync()
      await other.sync()
      await update(phone.database, table, id, { trade_name: 'Here' })
      await update(other.database, table, id, { pincode: '360001' })

      await other.sync()
      const done = await phone.sync()
      await other.sync()

      assert.deepEqual(done.verdicts.map(({ verdict }) => verdict), ['merged'])
      for (const each of [phone, other]) {
        const row = await each.row(table, id)
        assert.deepEqual([row?.['trade_name'], row?.['pincode']], ['Here', '360001'])
      }
      await assertInSync(phone, other)
    })

    it('takes back what was refused, and says why in the inbox', async () => {
      const phone = await Phone.of('agent1', { kind })
      await phone.sync()
      const [id, bad] = [random.id(), random.id()]
      await create(phone.database, table, id, partner(await branchOf(phone), 'Right'))
      await phone.sync()
      await update(phone.database, table, id, { phone: '12345' })
      await create(phone.database, table, bad, { ...partner(await branchOf(phone), ''), kind: '["seller"]' })
      const done = await phone.sync()

      assert.deepEqual(done.verdicts.map(({ verdict }) => verdict), ['refused', 'refused'])
      assert.equal((await phone.row(table, id))?.['phone'], null)
      assert.equal(await phone.row(table, bad), undefined)
      const said = (await phone.cotton.inbox.fetch()).filter((issue) => [id, bad].includes(issue.recordId))
      assert.equal(said.length, 2)
      assert.ok(phone.cotton.status.parked >= 2)
      await assertInSync(phone)
    })

    it('brings a row back whose deletion waits for a person', async () => {
      const [phone, other] = [await Phone.of('agent1', { kind }), await Phone.of('agent2', { kind })]
      await phone.sync()
      const id = random.id()
      await create(phone.database, table, id, partner(await branchOf(phone), 'Wanted by one only'))
      await phone.sync()
      await other.sync()
      await update(other.database, table, id, { trade_name: 'Still needed' })
      await other.sync()
      await remove(phone.database, table, id)
      const done = await phone.sync()

      assert.deepEqual(done.verdicts.map(({ verdict }) => verdict), ['parked'])
      assert.equal((await phone.row(table, id))?.['trade_name'], 'Still needed')
      await assertInSync(phone)
    })

    it('keeps an edit that is made while it syncs, and pushes it next', async () => {
      const phone = await Phone.of('agent1', { kind })
      await phone.sync()
      const [id, second] = [random.id(), random.id()]
      const branch = await branchOf(phone)
      await create(phone.database, table, id, partner(branch, 'Edited meanwhile'))
      let once = true
      phone.network = async (next) => {
        const answer = await next()
        if (once) {
          once = false
          await update(phone.database, table, id, { trade_name: 'Meanwhile' })
          await create(phone.database, table, second, partner(branch, 'Made meanwhile'))
        }
        return answer
      }
      await phone.sync()
      assert.equal((await phone.row(table, id))?._status, 'updated')
      assert.equal((await phone.row(table, second))?._status, 'created')
      const done = await phone.sync()

      assert.deepEqual(done.verdicts.map(({ verdict }) => verdict), ['accepted', 'accepted'])
      assert.equal((await phone.row(table, id))?.['trade_name'], 'Meanwhile')
      await assertInSync(phone)
    })

    it('adds up a count that both sides moved, also if this side moves it while it syncs', async () => {
      const [phone, other] = [await Phone.of('agent1', { kind }), await Phone.of('agent2', { kind })]
      await phone.sync()
      const ids = await createSamples(phone as never, random)
      await phone.sync()
      await other.sync()
      const id = ids.availabilities
      await update(other.database, 'availabilities', id, { bales_reserved: 20 })
      await other.sync()
      let once = true
      phone.network = async (next) => {
        if (once) {
          once = false
          await update(phone.database, 'availabilities', id, { bales_reserved: 7 })
        }
        return next()
      }
      await phone.sync()
      await phone.sync()
      await other.sync()

      for (const each of [phone, other]) assert.equal((await each.row('availabilities', id))?.['bales_reserved'], 27)
      await assertInSync(phone, other)
    })

    it('goes on without a record that the server cannot read', async () => {
      const phone = await Phone.of('agent1', { kind })
      await phone.sync()
      const [good, branch] = [random.id(), await branchOf(phone)]
      const bad = `${random.id()} with a space`
      await create(phone.database, table, bad, partner(branch, 'Its id is no id'))
      await create(phone.database, table, good, partner(branch, 'Fine'))
      const done = await phone.sync()

      assert.deepEqual(done.stuck.map(({ id, code }) => [id, code]), [[bad, 'unsafe_id']])
      assert.equal((await phone.row(table, good))?._status, 'synced')
      assert.equal((await phone.row(table, bad))?._status, 'created')
      assert.equal(phone.cotton.status.pending, 1)
    })

    it('says that it is offline, keeps everything, and syncs when the network is back', async () => {
      const phone = await Phone.of('agent1', { kind })
      await phone.sync()
      const id = random.id()
      await create(phone.database, table, id, partner(await branchOf(phone), 'Far out'))
      phone.network = async () => {
        throw new Offline()
      }
      await assert.rejects(phone.sync(), { name: 'NetworkError' })
      const { phase, pending, error } = phone.cotton.status
      assert.deepEqual([phase, pending, error?.code], ['offline', 1, 'NetworkError'])
      const { safe, pending: unsent } = await phone.cotton.safeToLogout()
      assert.deepEqual([safe, unsent], [false, 1])

      phone.network = (next) => next()
      await phone.sync()
      assert.deepEqual([phone.cotton.status.phase, phone.cotton.status.pending], ['idle', 0])
      const log = await phone.cotton.log()
      assert.deepEqual(log.map((entry) => entry.error?.code ?? entry.verdicts), [{}, 'NetworkError', { accepted: 1 }])
      await assertInSync(phone)
    })

    it('pushes more than one request takes, from one cursor', async () => {
      const [phone, other] = [await Phone.of('agent1', { kind, cutAt: { records: 3, size: 4_000_000 } }), await Phone.of('agent2', { kind })]
      await phone.sync()
      const branch = await branchOf(phone)
      const ids = Array.from({ length: 10 }, () => random.id())
      for (const id of ids) await create(phone.database, table, id, partner(branch, `Number ${id}`))
      phone.requests = []
      const done = await phone.sync()
      await other.sync()

      assert.equal(phone.requests.length, 4)
      assert.equal(done.verdicts.length, 10)
      assert.deepEqual((await holdings(phone))[table], (await holdings(other))[table])
      await assertInSync(phone, other)
    })

    it('runs one sync at a time, and one more for all who asked meanwhile', async () => {
      const phone = await Phone.of('agent1', { kind })
      await phone.sync()
      phone.requests = []
      const asked = [phone.sync(), phone.sync(), phone.sync(), phone.sync()]
      await Promise.all(asked)
      assert.equal(phone.requests.length, 2)
    })

    it('syncs with a server that has no exchange, clash and all', async () => {
      const [phone, other] = [await Phone.of('agent1', { kind }), await Phone.of('agent2', { kind })]
      phone.network = async (next, url) => (url.endsWith('/exchange') ? { status: 404, text: async () => '{"code":"not_found"}' } : next())
      await phone.sync()
      const [id, gone] = [random.id(), random.id()]
      const branch = await branchOf(phone)
      for (const made of [id, gone]) await create(phone.database, table, made, partner(branch, `Stock ${made}`))
      await phone.sync()
      await other.sync()
      await update(other.database, table, id, { trade_name: 'Theirs' })
      await remove(other.database, table, gone)
      await other.sync()
      await update(phone.database, table, id, { trade_name: 'Mine' })
      await update(phone.database, table, gone, { trade_name: 'Edited, though it is gone' })
      await phone.sync()
      await phone.sync()

      assert.equal((await phone.row(table, id))?.['trade_name'], 'Mine')
      assert.equal(await phone.row(table, gone), undefined)
      const issues = (await phone.cotton.inbox.fetch()).filter((issue) => issue.recordId === gone)
      assert.equal(issues.length, 1, 'the edit of the deleted partner is filed, and not lost')
      await assertInSync(phone)
    })
  })
}
