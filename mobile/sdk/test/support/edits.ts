/** What a user does to a row, by table, id and raw values: for tests that are made of data rather than of screens. */
import type { Database, Model } from '@nozbe/watermelondb'

export type Values = Record<string, unknown>

async function find(database: Database, table: string, id: string): Promise<Model | undefined> {
  const tombstones = await database.adapter.getDeletedRecords(table)
  return tombstones.includes(id) ? undefined : database.get(table).find(id).catch(() => undefined)
}

function set(record: Model, values: Values): void {
  for (const [column, value] of Object.entries(values)) record._setRaw(column, value as string)
}

/** Create a row with this id, unless there is one or was one whose deletion waits. */
export async function create(database: Database, table: string, id: string, values: Values): Promise<void> {
  await database.write(async () => {
    const known = await database.adapter.getDeletedRecords(table)
    if (known.includes(id) || (await find(database, table, id))) return
    await database.get(table).create((record) => {
      record._raw.id = id
      set(record, values)
    })
  })
}

/** Edit a row, if it is there. */
export async function update(database: Database, table: string, id: string, values: Values): Promise<void> {
  await database.write(async () => {
    const record = await find(database, table, id)
    await record?.update((edited) => set(edited, values))
  })
}

/** Mark a row as deleted, if it is there. */
export async function remove(database: Database, table: string, id: string): Promise<void> {
  await database.write(async () => {
    const record = await find(database, table, id)
    await record?.markAsDeleted()
  })
}

/** Add to a number of a row, as an app does: by what is there at the moment of writing. */
export async function add(database: Database, table: string, id: string, column: string, by: number): Promise<void> {
  await database.write(async () => {
    const record = await find(database, table, id)
    await record?.update((edited) => set(edited, { [column]: Number(edited._getRaw(column)) + by }))
  })
}
