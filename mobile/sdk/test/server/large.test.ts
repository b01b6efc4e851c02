/** A first sync of many records: every one arrives, once. COTTON_TEST_COUNTS says how many rows each table has. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { KINDS } from '../support/database'
import { Device, assertQuiet } from '../support/device'

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
    })
  })
}
