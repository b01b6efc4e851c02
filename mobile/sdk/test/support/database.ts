/**
 * Real WatermelonDB databases in Node: SQLite through better-sqlite3, and LokiJS.
 *
 * Owns: opening, migrating and closing them, and reading what is on their disk.
 * Must not know: the server. Invariant: nothing here replaces a part of WatermelonDB; only its log is listened to.
 */
import { Database } from '@nozbe/watermelondb'
import type { AppSchema, Model } from '@nozbe/watermelondb'
import LokiJSAdapter from '@nozbe/watermelondb/adapters/lokijs'
import SQLiteAdapter from '@nozbe/watermelondb/adapters/sqlite'
import { sanitizedRaw } from '@nozbe/watermelondb/RawRecord'
import type { SchemaMigrations } from '@nozbe/watermelondb/Schema/migrations'
import { logger } from '@nozbe/watermelondb/utils/common'

export type Kind = 'sqlite' | 'loki'
export const KINDS: Kind[] = ['sqlite', 'loki']

export interface App {
  schema: AppSchema
  migrations?: SchemaMigrations
  modelClasses: (typeof Model)[]
}

/** A row as it is on disk: id, _status, _changed and columns. */
export type Raw = { id: string; _status: string; _changed: string } & Record<string, unknown>

/** What WatermelonDB reported through `logError` since the last look: a right server causes none. */
export const complaints: string[] = []
logger.error = (...messages: unknown[]) => {
  complaints.push(messages.map((message) => (message instanceof Error ? message.message : String(message))).join(' '))
}
logger.warn = () => undefined
logger.log = () => undefined

let opened = 0

/** Open a database; a SQLite one lives in `file` if given, else in memory. */
export async function open(kind: Kind, app: App, file?: string): Promise<Database> {
  opened += 1
  const dbName = file ?? `file:device${opened}?mode=memory`
  const { schema, modelClasses } = app
  const options = { schema, ...(app.migrations ? { migrations: app.migrations } : {}) }
  const adapter =
    kind === 'sqlite'
      ? new SQLiteAdapter({ ...options, dbName } as ConstructorParameters<typeof SQLiteAdapter>[0])
      : new LokiJSAdapter({
          ...options,
          dbName: `device${opened}`,
          useWebWorker: false,
          useIncrementalIndexedDB: false,
          extraLokiOptions: { autosave: false },
        })
  return new Database({ adapter, modelClasses })
}

/** The part of both adapters that WatermelonDB's own tests use to open the same disk again. */
interface Reopenable {
  testClone(options: object): Promise<SQLiteAdapter>
  _driver?: { loki: { saveDatabase(done: () => void): void } }
}

/** Start the next version of the app on the same disk: the adapter runs its migrations. */
export async function upgrade(database: Database, app: App): Promise<Database> {
  const { schema, migrations, modelClasses } = app
  const adapter = database.adapter.underlyingAdapter as unknown as Reopenable
  await database.adapter.getLocal('opened') // LokiJS opens its disk in the background
  const driver = adapter._driver
  if (driver) await new Promise<void>((done) => driver.loki.saveDatabase(done)) // autosave is off: it would keep Node awake
  return new Database({ adapter: await adapter.testClone({ schema, migrations }), modelClasses })
}

/** Read a table from disk, past WatermelonDB's cache of records; sorted by id. */
export async function rows(database: Database, table: string): Promise<Raw[]> {
  const collection = database.get(table)
  const raws = (await collection.query().unsafeFetchRaw()) as object[]
  return raws.map((raw) => sanitizedRaw(raw, collection.schema) as unknown as Raw).sort(byId)
}

/** Give the ids deleted here and not yet acknowledged, sorted. */
export async function deleted(database: Database, table: string): Promise<string[]> {
  return [...(await database.adapter.getDeletedRecords(table))].sort()
}

/** Everything on disk: table -> rows and tombstones. */
export async function dump(database: Database): Promise<Record<string, { rows: Raw[]; deleted: string[] }>> {
  const found: Record<string, { rows: Raw[]; deleted: string[] }> = {}
  for (const table of Object.keys(database.collections.map)) {
    found[table] = { rows: await rows(database, table), deleted: await deleted(database, table) }
  }
  return found
}

function byId(left: Raw, right: Raw): number {
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}
