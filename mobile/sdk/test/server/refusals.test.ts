/** A record that breaks a rule never blocks a phone: it comes back explained, or stays as unsent if the app knows no issues. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { appSchema, tableSchema } from '@nozbe/watermelondb'

import { migrations, modelClasses, schema } from '../../src'
import { KINDS } from '../support/database'
import type { App } from '../support/database'
import { APP, Device, assertQuiet, branchOf, contents } from '../support/device'
import { create, remove, update } from '../support/edits'
import { Random } from '../support/random'
import { first, partner } from '../support/samples'

const random = new Random()

/** The app as it would be without the table sync_issues. */
const WITHOUT_ISSUES: App = {
  schema: appSchema({
    version: schema.version,
    tables: Object.values(schema.tables)
      .filter(({ name }) => name !== 'sync_issues')
      .map(({ name, columnArray }) => tableSchema({ name, columns: columnArray })),
  }),
  migrations,
  modelClasses: modelClasses.filter(({ table }) => table !== 'sync_issues'),
}

/** A contact of a partner that does not exist. */
const ORPHAN = { partner_id: 'nobody', kind: 'owner', is_primary: false, name: 'Nobody knows' }

for (const kind of KINDS) {
  describe(`refusals (${kind})`, () => {
    it('takes the good, sends back the bad and explains it', async () => {
      const device = await Device.of('agent1', { kind, app: APP })
      await device.sync()
      const [good, bad] = [random.id(), random.id()]
      const branch = await branchOf(device)
      await create(device.database, 'business_partners', good, partner(branch, 'Good'))
      await create(device.database, 'partner_contacts', bad, ORPHAN)

      await device.sync()
      await device.sync()

      assert.ok(await device.row('business_partners', good))
      assert.equal(await device.row('partner_contacts', bad), undefined)
      const issue = first(await device.rows('sync_issues'), (row) => row['record_id'] === bad)
      assert.deepEqual(
        [issue['table_name'], issue['operation'], issue['reason_code'], issue['state']],
        ['partner_contacts', 'created', 'unknown_reference', 'open'],
      )
      assert.equal((JSON.parse(String(issue['payload'])) as { name: string }).name, 'Nobody knows')
      assert.ok(String(issue['sentence']).length > 10)
      await assertQuiet(device)
    })

    it('sends an edit back to what the server has', async () => {
      const device = await Device.of('agent1', { kind })
      await device.sync()
      const trade = first(await device.rows('trades'), (row) => row['state'] === 'confirmed')
      await update(device.database, 'trades', trade.id, { price_per_candy: 1 })

      await device.sync()
      await device.sync()

      assert.equal((await device.row('trades', trade.id))?.['price_per_candy'], trade['price_per_candy'])
      const issue = first(await device.rows('sync_issues'), (row) => row['record_id'] === trade.id)
      assert.equal((JSON.parse(String(issue['payload'])) as { price_per_candy: number }).price_per_candy, 1)
      await assertQuiet(device)
    })

    it('brings back what may not be deleted', async () => {
      const device = await Device.of('agent1', { kind })
      await device.sync()
      const trade = first(await device.rows('trades'), (row) => row['state'] === 'confirmed')
      await remove(device.database, 'business_partners', String(trade['seller_id']))

      await device.sync()
      await device.sync()

      assert.ok(await device.row('business_partners', String(trade['seller_id'])))
      assert.ok((await device.rows('sync_issues')).some((row) => row['record_id'] === trade['seller_id']))
      await assertQuiet(device)
    })

    it('lets the author close an issue', async () => {
      const [device, other] = [await Device.of('agent1', { kind }), await Device.of('agent2', { kind })]
      await device.sync()
      const id = random.id()
      await create(device.database, 'partner_contacts', id, ORPHAN)
      await device.sync()
      await device.sync()
      const issue = first(await device.rows('sync_issues'), (row) => row['record_id'] === id)

      await update(device.database, 'sync_issues', issue.id, { state: 'discarded' })
      await device.sync()
      await device.sync()
      await other.sync()

      assert.equal((await device.row('sync_issues', issue.id))?.['state'], 'discarded')
      assert.equal(await other.row('sync_issues', issue.id), undefined)
      await assertQuiet(device, other)
    })

    it('keeps the bad record as unsent in an app that does not know sync_issues', async () => {
      const device = await Device.of('agent3', { kind, app: WITHOUT_ISSUES })
      await device.sync()
      const [good, bad] = [random.id(), random.id()]
      const branch = await branchOf(device)
      await create(device.database, 'business_partners', good, partner(branch, 'Good'))
      await create(device.database, 'partner_contacts', bad, ORPHAN)

      await device.sync()
      await device.sync()

      assert.equal((await device.row('business_partners', good))?._status, 'synced')
      assert.equal((await device.row('partner_contacts', bad))?._status, 'created')
      await update(device.database, 'partner_contacts', bad, { partner_id: good })
      await device.sync()
      await device.sync()
      assert.equal((await device.row('partner_contacts', bad))?._status, 'synced')
      const reader = await Device.of('agent2', { kind })
      await reader.sync()
      assert.equal((await reader.row('partner_contacts', bad))?.['partner_id'], good)
      const tables = ['business_partners', 'partner_contacts']
      assert.deepEqual(await contents(reader, tables), await contents(device, tables))
      await assertQuiet(device, reader)
    })
  })
}
