/**
 * The app before and after a schema migration that brings a table and two columns.
 *
 * Must not know: what the tests do with them. Invariant: NEW has what the generated schema has, as a version of its own above
 * it, so that the server sends OLD all tables but for the one that it does not know.
 */
import assert from 'node:assert/strict'

import { appSchema, tableSchema } from '@nozbe/watermelondb'
import { addColumns, createTable, schemaMigrations } from '@nozbe/watermelondb/Schema/migrations'

import { modelClasses, schema } from '../../src'
import type { App } from './database'

export const LATER_TABLE = 'partner_contacts'
export const LATER_COLUMNS = ['trade_name', 'credit_limit']

const specs = Object.values(schema.tables).map(({ name, columnArray }) => ({ name, columns: columnArray }))
const isLater = (table: string, column: string): boolean => table === 'business_partners' && LATER_COLUMNS.includes(column)

/** WatermelonDB wants a way from the first version to the present one; these apps have always been what they are. */
const before = Array.from({ length: schema.version - 1 }, (_, n) => ({ toVersion: n + 2, steps: [] }))

export const OLD: App = {
  schema: appSchema({
    version: schema.version,
    tables: specs
      .filter(({ name }) => name !== LATER_TABLE)
      .map(({ name, columns }) => tableSchema({ name, columns: columns.filter((column) => !isLater(name, column.name)) })),
  }),
  migrations: schemaMigrations({ migrations: before }),
  modelClasses: modelClasses.filter(({ table }) => table !== LATER_TABLE),
}

const contactSpec = specs.find(({ name }) => name === LATER_TABLE) ?? assert.fail()
export const partnerSpec = specs.find(({ name }) => name === 'business_partners') ?? assert.fail()
export const NEW: App = {
  schema: appSchema({ version: schema.version + 1, tables: specs.map(tableSchema) }),
  migrations: schemaMigrations({
    migrations: [
      ...before,
      {
        toVersion: schema.version + 1,
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
