/**
 * A phone of the tests: a real WatermelonDB database, the SDK's sync calls, and a network that can be made bad.
 *
 * Owns: logging in, syncing, losing answers and doubling requests. The server is that of COTTON_TEST_URL.
 * Must not know: what the tests do with the rows.
 * Invariant: a fault changes what the device hears, never what it says (the request goes out whole and unchanged).
 */
import assert from 'node:assert/strict'

import type { Database } from '@nozbe/watermelondb'
import { hasUnsyncedChanges, synchronize } from '@nozbe/watermelondb/sync'
import type { SyncArgs } from '@nozbe/watermelondb/sync'

import { TABLES, cottonSync, migrations, modelClasses, schema } from '../../src'
import type { Fetch, TableName } from '../../src'
import { complaints, open, rows } from './database'
import type { App, Kind, Raw } from './database'

export const APP: App = { schema, migrations, modelClasses }
const PASSWORD = 'cotton-demo'

/** What happens to the next requests: `lost` means done by the server but never heard of, `doubled` sent twice. */
export type Fault = 'none' | 'lost' | 'doubled'

export class AnswerLost extends Error {}

export function serverUrl(): string {
  const url = process.env['COTTON_TEST_URL']
  assert.ok(url, 'COTTON_TEST_URL names the server; tests/acceptance/test_watermelondb.py sets it')
  return url
}

const tokens = new Map<string, Promise<string>>()

/** Log in as a demo user; one token per user and process. */
export function token(username: string): Promise<string> {
  let known = tokens.get(username)
  if (!known) tokens.set(username, (known = login(username)))
  return known
}

async function login(username: string): Promise<string> {
  const answer = await fetch(`${serverUrl()}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: PASSWORD }),
  })
  assert.equal(answer.status, 200, await answer.clone().text())
  return ((await answer.json()) as { access_token: string }).access_token
}

export interface DeviceOptions {
  kind?: Kind
  app?: App
  file?: string
  url?: string
}

export class Device {
  /** What happens to the device's requests by method. */
  faults: { GET: Fault; POST: Fault } = { GET: 'none', POST: 'none' }
  /** How many bytes of answers came. */
  heard = 0
  /** Called between the pull and the push: the moment when another phone pushes. */
  beforePush: () => Promise<void> = async () => undefined
  /** Called when an answer to a push is there and before the client has it: the moment of an edit during a push. */
  duringPush: () => Promise<void> = async () => undefined

  private constructor(
    readonly username: string,
    public database: Database,
    private url: string,
  ) {}

  static async of(username: string, { kind = 'sqlite', app = APP, file, url }: DeviceOptions = {}): Promise<Device> {
    await token(username)
    return new Device(username, await open(kind, app, file), url ?? serverUrl())
  }

  async sync(options: Partial<SyncArgs> = {}): Promise<void> {
    const calls = cottonSync({ url: this.url, token: () => token(this.username), fetch: this.fetch })
    await synchronize({ database: this.database, ...calls, migrationsEnabledAtVersion: 1, ...options })
  }

  /** Sync, and once more if that failed: what WatermelonDB's documentation tells apps to do. */
  async syncTwice(): Promise<void> {
    await this.sync().catch(() => this.sync())
  }

  rows(table: TableName | string): Promise<Raw[]> {
    return rows(this.database, table)
  }

  async row(table: TableName | string, id: string): Promise<Raw | undefined> {
    return (await this.rows(table)).find((row) => row.id === id)
  }

  hasUnsynced(): Promise<boolean> {
    return hasUnsyncedChanges({ database: this.database })
  }

  private readonly fetch: Fetch = async (url, options) => {
    const fault = this.faults[options.method as 'GET' | 'POST']
    if (fault === 'doubled') {
      const [, second] = await Promise.all([this.request(url, options), this.request(url, options)])
      return second
    }
    const answer = await this.request(url, options)
    if (fault === 'lost') throw new AnswerLost(options.method)
    return answer
  }

  private async request(url: string, options: Parameters<Fetch>[1]): Promise<{ status: number; text(): Promise<string> }> {
    if (options.method === 'POST') await this.beforePush()
    const answer = await fetch(url, options)
    const text = await answer.text()
    this.heard += text.length
    if (options.method === 'POST') await this.duringPush()
    return { status: answer.status, text: async () => text }
  }
}

/** All rows of the tables without WatermelonDB's own columns: what two devices of one user must agree on. */
export async function contents(device: Device, tables: readonly string[] = TABLES): Promise<Record<string, object[]>> {
  const found: Record<string, object[]> = {}
  for (const table of tables) {
    found[table] = (await device.rows(table)).map(({ _status, _changed, ...row }) => row)
  }
  return found
}

/** What each user has for themselves. */
export const OWN: readonly string[] = ['sync_issues', 'notifications']

/** Of these the demo has none. */
export const NOT_SHOWN: readonly string[] = [
  ...['matches', 'negotiations', 'offers', 'amendments', 'samples', 'weighments', 'attachments'],
  ...['invoices', 'invoice_lines', 'payments', 'payment_allocations'],
]

/**
 * Nothing waits to be pushed, and WatermelonDB had nothing to complain of but what `sendsBack` explains.
 */
export async function assertQuiet(...devices: Device[]): Promise<void> {
  for (const device of devices) assert.equal(await device.hasUnsynced(), false, `${device.username} has unsynced changes`)
  if (!complaints.length) return
  const kept = new Set((await Promise.all(devices.map(sendsBack))).flat())
  const left = complaints.filter((said) => !/^\[Sync\] .*already exists locally and is marked as deleted/.test(said) || !kept.has(about(said)))
  assert.deepEqual(left, [])
}

/**
 * The records whose deletion by this device was not accepted. They come back as created, because the answer makes the phone destroy its
 * copy; if that answer was lost it still holds the copy, marked as deleted, and says so before it does what it is told. The
 * server cannot know which: both phones ask from the same cursor.
 */
async function sendsBack(device: Device): Promise<string[]> {
  const issues = await device.rows('sync_issues')
  return issues.filter((issue) => issue['operation'] === 'deleted').map((issue) => `${issue['table_name']}#${issue['record_id']}`)
}

function about(complaint: string): string {
  return /record (\S+#[^,\s]+)/.exec(complaint)?.[1] ?? ''
}

/** A branch that the device holds, to write rows for. */
export async function branchOf(device: Device): Promise<string> {
  const [branch] = await device.rows('branches')
  assert.ok(branch, 'the first sync brought no branch')
  return branch.id
}
