/** Rows travel: what one phone creates, changes and deletes, the others have after their next sync, column by column. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { TABLES } from '../../src'
import { KINDS } from '../support/database'
import { Device, assertQuiet, contents } from '../support/device'
import { remove, update } from '../support/edits'
import { Random } from '../support/random'
import { NOTE, WRITABLE, createSamples, note } from '../support/samples'

const random = new Random()

for (const kind of KINDS) {
  describe(`round trips (${kind})`, () => {
    it('brings every table on the first sync, and the same to every user of the organisation', async () => {
      const [one, two] = [await Device.of('agent1', { kind }), await Device.of('manager', { kind })]
      await Promise.all([one.sync(), two.sync()])

      const shared = TABLES.filter((table) => table !== 'sync_issues')
      assert.deepEqual(await contents(one, shared), await contents(two, shared))
      for (const table of shared) assert.notEqual((await one.rows(table)).length, 0, `${table} is empty in the demo data`)
      await assertQuiet(one, two)
    })

    it('shows nothing of another organisation', async () => {
      const [ours, theirs] = [await Device.of('agent1', { kind }), await Device.of('other', { kind })]
      await Promise.all([ours.sync(), theirs.sync()])

      for (const table of TABLES) {
        const own = new Set((await ours.rows(table)).map((row) => JSON.stringify(row)))
        for (const row of await theirs.rows(table)) assert.ok(!own.has(JSON.stringify(row)), `${table} ${row.id}`)
      }
      assert.equal((await theirs.rows('organisations')).length, 1)
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
