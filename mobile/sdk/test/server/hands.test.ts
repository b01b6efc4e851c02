/** A phone that changes hands: what one user left unsent is filed as theirs, nothing of it becomes another's, and nothing is lost. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { LeftByAnother } from '../../src'
import { KINDS } from '../support/database'
import { create, remove, update } from '../support/edits'
import { Offline, Phone, assertInSync, holdings } from '../support/phone'
import { Random } from '../support/random'
import { partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'

interface Left {
  made: string
  edited: string
  removed: string
}

/** A phone of agent1 with three changes that were not sent. */
async function leftBy(kind: 'sqlite' | 'loki'): Promise<{ phone: Phone; left: Left }> {
  const phone = await Phone.of('agent1', { kind })
  await phone.sync()
  const branch = String((await phone.rows(table))[0]?.['branch_id'])
  const left = { made: random.id(), edited: random.id(), removed: random.id() }
  for (const id of [left.edited, left.removed]) await create(phone.database, table, id, partner(branch, `Known ${id}`))
  await phone.sync()
  await create(phone.database, table, left.made, partner(branch, 'Left on the phone'))
  await update(phone.database, table, left.edited, { trade_name: 'Left on the phone' })
  await remove(phone.database, table, left.removed)
  return { phone, left }
}

for (const kind of KINDS) {
  describe(`a phone that changes hands (${kind})`, () => {
    it('hands over what was left, and begins anew for who has it now', async () => {
      const { phone, left } = await leftBy(kind)
      await phone.login('agent2')
      await phone.sync()
      const second = await Phone.of('agent2', { kind })
      await second.sync()
      assert.deepEqual(await holdings(phone), await holdings(second))
      assert.equal(await phone.row(table, left.made), undefined)
      await assertInSync(phone)

      const author = await Phone.of('agent1', { kind })
      await author.sync()
      const issues = (await author.cotton.inbox.fetch()).filter((issue) => Object.values(left).includes(issue.recordId))
      assert.deepEqual(issues.map((issue) => [issue.reasonCode, issue.kind]), Array(3).fill(['foreign_author', 'parked']))
      for (const issue of issues) await author.cotton.inbox.acceptMine(issue)
      await author.sync()
      assert.equal((await author.row(table, left.made))?.['legal_name'], 'Left on the phone')
      assert.equal((await author.row(table, left.edited))?.['trade_name'], 'Left on the phone')
      assert.equal(await author.row(table, left.removed), undefined)
      await assertInSync(author)
    })

    it('loses nothing when the signal goes while it is handed over', async () => {
      const { phone, left } = await leftBy(kind)
      await phone.login('agent2')
      for (const network of [async () => Promise.reject(new Offline()), async (next: () => Promise<unknown>) => (await next(), Promise.reject(new Offline()))]) {
        phone.network = network as never
        await assert.rejects(phone.sync(), { name: 'NetworkError' })
        assert.equal((await phone.row(table, left.made))?._status, 'created')
      }
      phone.network = (next) => next()
      await phone.sync()
      const author = await Phone.of('agent1', { kind })
      await author.sync()
      const issues = (await author.cotton.inbox.fetch()).filter((issue) => Object.values(left).includes(issue.recordId))
      assert.equal(issues.length, 3)
      await assertInSync(phone, author)
    })

    it('touches nothing of what cannot be filed, until its author comes back', async () => {
      const { phone, left } = await leftBy(kind)
      await phone.database.adapter.setLocal('cotton.owner', 'DemoCottonHouse1/agent3') // who was never logged in here
      await phone.login('agent2')
      await assert.rejects(phone.sync(), LeftByAnother)
      assert.equal((await phone.row(table, left.made))?._status, 'created')
      assert.equal(phone.cotton.status.error?.code, 'LeftByAnother')

      await phone.database.adapter.setLocal('cotton.owner', 'DemoCottonHouse1/agent1')
      await phone.login('agent1')
      await phone.sync()
      assert.equal((await phone.row(table, left.made))?._status, 'synced')
      await assertInSync(phone)
    })
  })
}
