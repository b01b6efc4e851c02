/** An app that learns a table and a column: after its migration sync it holds what a fresh install holds. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

import { KINDS, upgrade } from '../support/database'
import { Device, assertQuiet, branchOf, contents } from '../support/device'
import { create, update } from '../support/edits'
import { LATER_COLUMNS, LATER_TABLE, NEW, OLD, partnerSpec } from '../support/older'
import { Random } from '../support/random'
import { createSamples, partner } from '../support/samples'

const random = new Random()
const folder = mkdtempSync(join(tmpdir(), 'cotton-sdk-'))
after(() => rmSync(folder, { recursive: true }))

for (const kind of KINDS) {
  describe(`a schema migration (${kind})`, () => {
    it('leaves the phone as a fresh install, with its unsent edits', async () => {
      const device = await Device.of('agent1', { kind, app: OLD, file: join(folder, kind) })
      await device.sync()
      const writer = await Device.of('agent2', { kind })
      await writer.sync()
      await createSamples(writer, random)
      const changed = (await writer.rows('business_partners'))[0]?.id ?? ''
      await update(writer.database, 'business_partners', changed, { trade_name: 'Named before the migration' })
      await writer.sync()
      await device.sync()
      const unsent = random.id()
      const branch = await branchOf(device)
      await create(device.database, 'business_partners', unsent, partner(branch, 'Unsent'))

      device.database = await upgrade(device.database, NEW)
      const asked: unknown[] = []
      await device.sync({ log: {}, onDidPullChanges: async () => void asked.push(1) })
      await device.sync()

      const fresh = await Device.of('agent1', { kind, app: NEW })
      await fresh.sync()
      assert.deepEqual(await contents(device), await contents(fresh))
      assert.ok(await fresh.row('business_partners', unsent))
      assert.equal((await device.row('business_partners', changed))?.['trade_name'], 'Named before the migration')
      assert.notEqual((await device.rows(LATER_TABLE)).length, 0)
      await assertQuiet(device, fresh, writer)
    })

    it('asks for the migration once', async () => {
      const device = await Device.of('agent3', { kind, app: OLD, file: join(folder, `${kind}-once`) })
      await device.sync()
      device.database = await upgrade(device.database, NEW)
      const [migrating, next] = [{}, {}] as { migration?: unknown }[]

      await device.sync({ log: migrating as object })
      await device.sync({ log: next as object })

      const columns = [{ table: 'business_partners', columns: partnerSpec.columns.map((column) => column.name) }]
      columns[0]!.columns = columns[0]!.columns.filter((column) => LATER_COLUMNS.includes(column))
      assert.deepEqual([migrating?.migration, next?.migration], [{ from: OLD.schema.version, tables: [LATER_TABLE], columns }, null])
      await assertQuiet(device)
    })
  })
}
