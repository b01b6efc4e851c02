/**
 * Plays traces to the real WatermelonDB: `node play.js TRACES.json` prints what the device asked, pushed and ended with.
 *
 * A trace is a list of edits and syncs with prepared answers, made from a seed by tests/acceptance/test_watermelondb.py, which
 * plays the same trace to `mobile/replica.py` and compares. A trace ends at the first sync at which the client throws.
 */
import { readFileSync } from 'node:fs'

import { Model, appSchema, tableSchema } from '@nozbe/watermelondb'
import type { Database } from '@nozbe/watermelondb'
import type { ColumnSchema } from '@nozbe/watermelondb/Schema'
import { synchronize } from '@nozbe/watermelondb/sync'

import { complaints, dump, open } from '../support/database'
import type { Kind } from '../support/database'
import { create, remove, update } from '../support/edits'
import type { Values } from '../support/edits'

type Edit =
  | { do: 'create' | 'update'; table: string; id: string; values: Values }
  | { do: 'delete'; table: string; id: string }
type Sync = { do: 'sync'; answer: object; pulling: Edit[]; pushing: Edit[]; pushed: object | null }
interface Trace {
  adapter: Kind
  tables: Record<string, ColumnSchema[]>
  sendCreatedAsUpdated: boolean
  serverWins: string[]
  steps: (Edit | Sync)[]
}

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

async function play(trace: Trace): Promise<object> {
  const tables = Object.entries(trace.tables).map(([name, columns]) => tableSchema({ name, columns }))
  const modelClasses = tables.map(({ name }) => Object.assign(class extends Model {}, { table: name }))
  const database = await open(trace.adapter, { schema: appSchema({ version: 1, tables }), modelClasses })
  const asked: unknown[] = []
  const pushes: unknown[] = []
  let threw = false
  complaints.length = 0
  for (const step of trace.steps) {
    if (step.do !== 'sync') {
      await edit(database, step)
      continue
    }
    const synced = synchronize({
      database,
      sendCreatedAsUpdated: trace.sendCreatedAsUpdated,
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
  for (const trace of traces) results.push(await play(trace))
  process.stdout.write(JSON.stringify(results), () => process.exit(0))
}

void main()
