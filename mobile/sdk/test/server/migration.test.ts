/** An app that learns a table and a column: after its migration sync it holds what a fresh install holds. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

import { appSchema, tableSchema } from '@nozbe/watermelondb'
import { addColumns, createTable, schemaMigrations } from '@nozbe/watermelondb/Schema/migrations'

import { modelClasses, schema } from '../../src'
import { KINDS, upgrade } from '../support/database'
import type { App } from '../support/database'
import { Device, assertQuiet, branchOf, contents } from '../support/device'
import { create, update } from '../support/edits'
import { Random } from '../support/random'
import { createSamples, partner } from '../support/samples'

const random = new Random()
const LATER_TABLE = 'partner_contacts'
const LATER_COLUMNS = ['trade_name', 'credit_limit']

const specs = Object.values(schema.tables).map(({ name, columnArray }) => ({ name, columns: columnArray }))
const isLater = (table: string, column: string): boolean => table === 'business_partners' && LATER_COLUMNS.includes(column)

const OLD: App = {
  schema: appSchema({
    version: 1,
    tables: specs
      .filter(({ name }) => name !== LATER_TABLE)
      .map(({ name, columns }) => tableSchema({ name, columns: columns.filter((column) => !isLater(name, column.name)) })),
  }),
  migrations: schemaMigrations({ migrations: [] }),
  modelClasses: modelClasses.filter(({ table }) => table !== LATER_TABLE),
}

const contactSpec = specs.find(({ name }) => name === LATER_TABLE) ?? assert.fail()
const partnerSpec = specs.find(({ name }) => name === 'business_partners') ?? assert.fail()
const NEW: App = {
  schema: appSchema({ version: 2, tables: specs.map(tableSchema) }),
  migrations: schemaMigrations({
    migrations: [
      {
        toVersion: 2,
        steps: [
          createTable(contactSpec),
          addColumns({
            table: 'business_partners',
            columns: partnerSpec.columns.filter((column) => isLater('business_partners', column.name)),
          }),
        ],
      },
    ],
  }),
  modelClasses,
}

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
      assert.deepEqual([migrating?.migration, next?.migration], [{ from: 1, tables: [LATER_TABLE], columns }, null])
      await assertQuiet(device)
    })
  })
}
