/**
 * A first sync of many records: every one arrives, once; and of so many, three wrong ones are found and repaired for under one per
 * cent of the bytes, both ways. COTTON_TEST_COUNTS says how many rows each table has.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { heal } from '../../src/drift'
import { KINDS } from '../support/database'
import { Device, assertQuiet, contents } from '../support/device'
import { Counting, spoil } from '../support/drifting'

const counts = JSON.parse(process.env['COTTON_TEST_COUNTS'] ?? 'null') as Record<string, number> | null

for (const kind of KINDS) {
  describe(`a large first sync (${kind})`, () => {
    it('brings every record', async () => {
      assert.ok(counts, 'COTTON_TEST_COUNTS is missing')
      const device = await Device.of('agent1', { kind })
      await device.sync()

      const found: Record<string, number> = {}
      for (const table of Object.keys(counts)) found[table] = await device.database.get(table).query().fetchCount()
      assert.deepEqual(found, counts)
      await device.sync()
      await assertQuiet(device)

      const right = await contents(device)
      const api = new Counting('agent1')
      await spoil(device, 2)
      const touched = await heal(device.database, api)
      assert.deepEqual(await contents(device), right)
      // The last of the requests finds nothing any more: a check without a difference is asked twice.
      assert.ok(touched >= 3 && api.said + api.heard < device.heard / 100, `${api.said} and ${api.heard} of ${device.heard}`)
    })
  })
}
