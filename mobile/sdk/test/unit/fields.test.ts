/** Reading and writing a column: what was read is written back without marking the column as changed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { Database, Model, appSchema, tableSchema } from '@nozbe/watermelondb'
import LokiJSAdapter from '@nozbe/watermelondb/adapters/lokijs'

import { children, readInstant, readJson, relation, writeInstant, writeJson, writeRaw } from '../../src/fields'

const columns = [
  { name: 'parent_id', type: 'string', isOptional: true },
  { name: 'tags', type: 'string', isOptional: true },
  { name: 'seen_at', type: 'number', isOptional: true },
] as const

class Thing extends Model {
  static override table = 'things'
}

async function thing(): Promise<{ database: Database; record: Thing }> {
  const schema = appSchema({ version: 1, tables: [tableSchema({ name: 'things', columns: [...columns] })] })
  const adapter = new LokiJSAdapter({ schema, useWebWorker: false, useIncrementalIndexedDB: false, extraLokiOptions: { autosave: false } })
  const database = new Database({ adapter, modelClasses: [Thing] })
  const raw = { id: 'a', _status: 'synced', _changed: '', parent_id: 'b', tags: '["x", "y"]', seen_at: 5 }
  const record = database.get<Thing>('things').prepareCreateFromDirtyRaw(raw)
  await database.write(() => database.batch(record))
  return { database, record }
}

describe('fields', () => {
  it('marks nothing as changed when what was read is written back', async () => {
    const { database, record } = await thing()
    await database.write(() =>
      record.update((edited) => {
        writeJson(edited, 'tags', readJson<string[]>(edited, 'tags'))
        writeInstant(edited, 'seen_at', readInstant<Date>(edited, 'seen_at'))
      }),
    )
    assert.deepEqual([record._raw._status, record._raw._changed], ['synced', ''])
  })

  it('reads and writes lists, instants and nulls', async () => {
    const { database, record } = await thing()
    await database.write(() =>
      record.update((edited) => {
        writeJson(edited, 'tags', ['z'])
        writeInstant(edited, 'seen_at', null)
      }),
    )
    assert.deepEqual(readJson(record, 'tags'), ['z'])
    assert.equal(readInstant(record, 'seen_at'), null)
    assert.equal(record._raw._changed, 'tags,seen_at')
  })

  it('finds the row that a column names, and the rows that name this one', async () => {
    const { database, record } = await thing()
    const other = await database.write(() =>
      database.get<Thing>('things').create((made) => writeRaw(made, 'parent_id', 'a')),
    )
    assert.equal((await relation<Thing>(other, 'things', 'parent_id').fetch()).id, 'a')
    assert.equal(relation(other, 'things', 'parent_id'), relation(other, 'things', 'parent_id'))
    assert.deepEqual((await children<Thing>(record, 'things', 'parent_id').fetch()).map((row) => row.id), [other.id])
  })
})
