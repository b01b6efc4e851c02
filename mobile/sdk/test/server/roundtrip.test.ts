/** Rows travel: what one phone creates, changes and deletes, the others have after their next sync, column by column. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { TABLES } from '../../src'
import { KINDS } from '../support/database'
import { Device, NOT_SHOWN, OWN, assertQuiet, branchOf, contents } from '../support/device'
import { create, remove, update } from '../support/edits'
import { Random } from '../support/random'
import { NOTE, WRITABLE, createSamples, note, partner } from '../support/samples'

const random = new Random()

for (const kind of KINDS) {
  describe(`round trips (${kind})`, () => {
    it('brings every table on the first sync, and the same to every user of the organisation', async () => {
      const [one, two] = [await Device.of('agent1', { kind }), await Device.of('manager', { kind })]
      await Promise.all([one.sync(), two.sync()])

      const shared = TABLES.filter((table) => !OWN.includes(table))
      assert.deepEqual(await contents(one, shared), await contents(two, shared))
      for (const table of shared.filter((name) => !NOT_SHOWN.includes(name))) assert.notEqual((await one.rows(table)).length, 0, `${table} is empty in the demo data`)
      await assertQuiet(one, two)
    })

    it('shows nothing of another organisation', async () => {
      const [ours, theirs] = [await Device.of('agent1', { kind }), await Device.of('other', { kind })]
      await Promise.all([ours.sync(), theirs.sync()])
      const canaries = new Map([ours, theirs].map((device) => [device, `Canary ${random.id()}`]))
      for (const [device, canary] of canaries) {
        await create(device.database, 'business_partners', random.id(), partner(await branchOf(device), canary))
        await device.sync()
      }
      const fresh = await Device.of('other', { kind })
      await Promise.all([ours.sync(), theirs.sync(), fresh.sync()])

      for (const device of [ours, theirs, fresh]) {
        const held = JSON.stringify(await contents(device))
        for (const [owner, canary] of canaries) {
          const may = owner === ours ? device === ours : device !== ours
          assert.equal(held.includes(canary), may, `${device.username} and the canary of ${owner.username}`)
        }
        assert.equal((await device.rows('organisations')).length, 1)
      }
    })

    it('carries creations, edits and deletions of every table that phones write', async () => {
      const [author, reader] = [await Device.of('agent1', { kind }), await Device.of('agent2', { kind })]
      await Promise.all([author.sync(), reader.sync()])

      const ids = await createSamples(author, random)
      await author.sync()
      await author.sync()
      await reader.sync()
      assert.deepEqual((await author.rows('sync_issues')).map((row) => row['sentence']), [])
      assert.deepEqual(await contents(reader), await contents(author))

      for (const table of WRITABLE) await update(reader.database, table, ids[table], { [NOTE[table]]: note(table, 'seen') })
      await reader.sync()
      await reader.sync()
      await author.sync()
      for (const table of WRITABLE) assert.equal((await author.row(table, ids[table]))?.[NOTE[table]], note(table, 'seen'))
      assert.deepEqual(await contents(reader), await contents(author))

      for (const table of WRITABLE) await remove(author.database, table, ids[table])
      await author.sync()
      await reader.sync()
      for (const table of WRITABLE) assert.equal(await reader.row(table, ids[table]), undefined, table)
      await author.sync()
      assert.deepEqual(await contents(reader), await contents(author))
      await assertQuiet(author, reader)
    })

    it('gives a fresh phone exactly what an old one holds', async () => {
      const [old, fresh] = [await Device.of('agent3', { kind }), await Device.of('agent3', { kind })]
      await old.sync()
      await createSamples(old, random)
      await old.sync()
      await old.sync()
      await fresh.sync()

      assert.deepEqual(await contents(fresh), await contents(old))
      await assertQuiet(old, fresh)
    })
  })
}
