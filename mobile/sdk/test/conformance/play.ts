/**
 * Plays traces to the real WatermelonDB: `node play.js TRACES.json` prints what the device asked, pushed and ended with.
 *
 * A trace is a list of edits and syncs with prepared answers, made from a seed by tests/acceptance/test_watermelondb.py, which
 * plays the same trace to `mobile/replica.py` and compares. A trace ends at the first sync at which the client throws.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Model, appSchema, tableSchema } from '@nozbe/watermelondb'
import type { Database } from '@nozbe/watermelondb'
import type { ColumnSchema } from '@nozbe/watermelondb/Schema'
import { addColumns, createTable, schemaMigrations } from '@nozbe/watermelondb/Schema/migrations'
import type { MigrationStep } from '@nozbe/watermelondb/Schema/migrations'
import { synchronize } from '@nozbe/watermelondb/sync'

import { complaints, dump, open, upgrade } from '../support/database'
import type { App, Kind } from '../support/database'
import { create, remove, update } from '../support/edits'
import type { Values } from '../support/edits'

type Edit =
  | { do: 'create' | 'update'; table: string; id: string; values: Values }
  | { do: 'delete'; table: string; id: string }
type Sync = { do: 'sync'; answer: object; pulling: Edit[]; pushing: Edit[]; pushed: object | null }
type Tables = Record<string, ColumnSchema[]>
interface Trace {
  adapter: Kind
  tables: Tables
  later: { tables: Tables; added: ColumnSchema[] }
  migrationsEnabledAtVersion: number | null
  sendCreatedAsUpdated: boolean
  serverWins: string[]
  steps: (Edit | Sync | { do: 'upgrade' })[]
}

const folder = mkdtempSync(join(tmpdir(), 'cotton-traces-'))
process.on('exit', () => rmSync(folder, { recursive: true }))

// WatermelonDB checks on the next tick that what was prepared was also written; after a throw it was not. That is the throw
// which the trace records already.
process.on('uncaughtException', (error) => {
  if (!error.message.includes("wasn't sent to batch() synchronously")) throw error
})

async function edit(database: Database, step: Edit): Promise<void> {
  if (step.do === 'create') await create(database, step.table, step.id, step.values)
  else if (step.do === 'update') await update(database, step.table, step.id, step.values)
  else await remove(database, step.table, step.id)
}

function app(version: number, tables: Tables, steps: MigrationStep[]): App {
  const schemas = Object.entries(tables).map(([name, columns]) => tableSchema({ name, columns }))
  return {
    schema: appSchema({ version, tables: schemas }),
    migrations: schemaMigrations({ migrations: version > 1 ? [{ toVersion: version, steps }] : [] }),
    modelClasses: schemas.map(({ name }) => Object.assign(class extends Model {}, { table: name })),
  }
}

/** The app's second version: the tables and columns that the first one lacked. */
function later({ tables, later: { tables: all, added } }: Trace): App {
  const fresh = Object.entries(all).filter(([name]) => !(name in tables))
  const created = fresh.map(([name, columns]) => createTable({ name, columns }))
  return app(2, all, [...created, addColumns({ table: 'tasks', columns: added })])
}

async function play(trace: Trace, number: number): Promise<object> {
  const isUpgraded = trace.steps.some((step) => step.do === 'upgrade')
  const file = isUpgraded ? join(folder, `${number}`) : undefined
  let database = await open(trace.adapter, app(1, trace.tables, []), file)
  const asked: unknown[] = []
  const pushes: unknown[] = []
  let threw = false
  complaints.length = 0
  for (const step of trace.steps) {
    if (step.do === 'upgrade') {
      database = await upgrade(database, later(trace))
      continue
    }
    if (step.do !== 'sync') {
      await edit(database, step)
      continue
    }
    const synced = synchronize({
      database,
      sendCreatedAsUpdated: trace.sendCreatedAsUpdated,
      ...(trace.migrationsEnabledAtVersion ? { migrationsEnabledAtVersion: trace.migrationsEnabledAtVersion } : {}),
      conflictResolver: (_table, _local, remote, resolved) => {
        for (const column of trace.serverWins) if (column in remote) resolved[column] = remote[column]
        return resolved
      },
      pullChanges: async ({ lastPulledAt, schemaVersion, migration }) => {
        asked.push([lastPulledAt ?? null, schemaVersion, migration])
        for (const during of step.pulling) await edit(database, during)
        return structuredClone(step.answer) as never
      },
      pushChanges: async ({ changes, lastPulledAt }) => {
        pushes.push([structuredClone(changes), lastPulledAt])
        for (const during of step.pushing) await edit(database, during)
        if (step.pushed === null) throw new Error('the answer was lost')
        return step.pushed
      },
    })
    threw = await synced.then(
      () => false,
      (error: Error) => error.message !== 'the answer was lost',
    )
    if (threw) break
  }
  return { asked, pushes, threw, complaints: [...complaints], disk: await dump(database) }
}

async function main(): Promise<void> {
  const traces = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Trace[]
  const results = []
  for (const [number, trace] of traces.entries()) results.push(await play(trace, number))
  process.stdout.write(JSON.stringify(results), () => process.exit(0))
}

void main()
