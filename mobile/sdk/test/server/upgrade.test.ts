/** CottonSync over a schema migration, and called off at any step: unsent edits stay, and the phone ends as a fresh install. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

import { KINDS, open, upgrade } from '../support/database'
import { create, update } from '../support/edits'
import { LATER_TABLE, NEW, OLD } from '../support/older'
import { Phone, assertInSync, holdings, keychain } from '../support/phone'
import { Random } from '../support/random'
import { createSamples, partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'
const folder = mkdtempSync(join(tmpdir(), 'cotton-upgrade-'))
after(() => rmSync(folder, { recursive: true }))

for (const kind of KINDS) {
  describe(`CottonSync (${kind})`, () => {
    it('brings what a new version of the app has learnt, and keeps what was unsent', async () => {
      const store = keychain()
      const old = await Phone.of('agent1', { kind, store, database: await open(kind, OLD, join(folder, kind)) })
      await old.sync()
      const writer = await Phone.of('agent2', { kind })
      await writer.sync()
      await createSamples(writer as never, random)
      const named = (await writer.rows(table))[0]?.id ?? ''
      await update(writer.database, table, named, { trade_name: 'Named before the migration' })
      await writer.sync()
      await old.sync()
      const unsent = random.id()
      await create(old.database, table, unsent, partner(String((await old.rows(table))[0]?.['branch_id']), 'Unsent'))

      const phone = await Phone.of('agent1', { kind, store, database: await upgrade(old.database, NEW) })
      await phone.sync()
      const fresh = await Phone.of('agent1', { kind })
      await fresh.sync()
      assert.equal((await phone.row(table, unsent))?._status, 'synced')
      assert.equal((await phone.row(table, named))?.['trade_name'], 'Named before the migration')
      assert.ok((await phone.rows(LATER_TABLE)).length > 0)
      assert.deepEqual(await holdings(phone), await holdings(fresh))
      await assertInSync(phone, fresh)
    })

    it('can be called off at any moment, as an app that goes to the background does', async () => {
      const phone = await Phone.of('agent1', { kind, sliceBytes: 16 * 1024 })
      for (let ms = 0; ms < 60; ms += 6) {
        const timer = setTimeout(() => phone.cotton.stop(), ms)
        await phone.sync().catch((error: Error) => assert.equal(error.name, 'Cancelled'))
        clearTimeout(timer)
      }
      await phone.sync()
      await create(phone.database, table, random.id(), partner(String((await phone.rows(table))[0]?.['branch_id']), 'Made then'))
      for (let ms = 0; ms < 12; ms += 2) {
        const timer = setTimeout(() => phone.cotton.cancel(), ms)
        await phone.sync().catch((error: Error) => assert.equal(error.name, 'Cancelled'))
        clearTimeout(timer)
      }
      await phone.sync()
      await assertInSync(phone)
    })

    it('syncs by itself once it is started, and tells how that goes', async () => {
      const phone = await Phone.of('agent1', { kind, auto: { debounceMs: 10, everyMs: 0 } })
      const phases = new Set<string>()
      phone.cotton.subscribe(({ phase }) => phases.add(phase))
      phone.cotton.start()
      const settled = (wanted: number): Promise<void> =>
        new Promise((done) => {
          const stop = phone.cotton.subscribe(({ lastSyncedAt, pending }) => {
            if (lastSyncedAt !== null && lastSyncedAt > wanted && pending === 0) setTimeout(() => (stop(), done()))
          })
        })
      await settled(0)
      const id = random.id()
      const before = phone.cotton.status.lastSyncedAt ?? 0
      await create(phone.database, table, id, partner(String((await phone.rows(table))[0]?.['branch_id']), 'By itself'))
      await settled(before)
      phone.cotton.stop()
      assert.equal((await phone.row(table, id))?._status, 'synced')
      assert.deepEqual([...phases].sort(), ['idle', 'pulling', 'pushing'])
      await assertInSync(phone)
    })
  })
}
