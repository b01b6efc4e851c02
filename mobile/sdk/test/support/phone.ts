/**
 * A phone of the tests with the whole SDK: `CottonSync` on a real WatermelonDB, and a network that can be made bad.
 *
 * Owns: logging in on an installation of its own, and what happens to its requests. The server is that of COTTON_TEST_URL.
 * Must not know: what the tests do with the rows. Invariant: a request that is let through goes out whole and unchanged.
 */
import assert from 'node:assert/strict'

import type { Database } from '@nozbe/watermelondb'

import { CottonSync, TABLES } from '../../src'
import type { CottonSyncConfig, Fetch, SecretStore, TableName } from '../../src'
import { complaints, deleted, open, rows } from './database'
import type { Kind, Raw } from './database'
import { APP, serverUrl } from './device'

const PASSWORD = 'cotton-demo'

export class Offline extends Error {}

/** Keeps secrets as a keychain does: beside the database, so that they outlive it. */
export function keychain(): SecretStore & { kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return {
    kept,
    get: async (key) => kept.get(key) ?? null,
    set: async (key, value) => void kept.set(key, value),
    remove: async (key) => void kept.delete(key),
  }
}

/** What a network does with a request: `next` sends it on. */
export type Network = (next: () => ReturnType<Fetch>, url: string, options: Parameters<Fetch>[1]) => ReturnType<Fetch>

export interface PhoneOptions extends Partial<Omit<CottonSyncConfig, 'database' | 'fetch'>> {
  kind?: Kind
  file?: string
  database?: Database
}

/** Retries at once, so that tests wait for nothing. */
export const HASTY = { attempts: 3, backoffMs: { first: 1, longest: 2 } }

export class Phone {
  network: Network = (next) => next()
  requests: string[] = []
  readonly cotton: CottonSync

  private constructor(
    readonly username: string,
    readonly database: Database,
    readonly store: SecretStore,
    options: PhoneOptions,
  ) {
    const { kind: _kind, file: _file, database: _database, ...config } = options
    this.cotton = new CottonSync({ url: serverUrl(), ...HASTY, ...config, database, store, fetch: this.fetch })
  }

  /** A phone on which the user is logged in. */
  static async of(username: string, options: PhoneOptions = {}): Promise<Phone> {
    const database = options.database ?? (await open(options.kind ?? 'sqlite', APP, options.file))
    const phone = new Phone(username, database, options.store ?? keychain(), options)
    if ((await phone.cotton.session.identity()) === null) await phone.login(username)
    return phone
  }

  login(username: string): Promise<unknown> {
    return this.cotton.session.login({ username, password: PASSWORD })
  }

  sync(): ReturnType<CottonSync['sync']> {
    return this.cotton.sync()
  }

  rows(table: TableName | string): Promise<Raw[]> {
    return rows(this.database, table)
  }

  async row(table: TableName | string, id: string): Promise<Raw | undefined> {
    return (await this.rows(table)).find((row) => row.id === id)
  }

  private readonly fetch: Fetch = (url, options) => {
    this.requests.push(`${options.method} ${url.replace(serverUrl(), '')}`)
    return this.network(() => fetch(url, options as RequestInit) as ReturnType<Fetch>, url, options)
  }
}

/** Everything on the phone, without WatermelonDB's own columns, by table. */
export async function holdings(phone: Phone): Promise<Record<string, object[]>> {
  const found: Record<string, object[]> = {}
  for (const table of TABLES) found[table] = (await phone.rows(table)).map(({ _status, _changed, ...row }) => row)
  return found
}

/** Nothing is unsynced, the phone holds what the server thinks it holds, and WatermelonDB had nothing to complain of. */
export async function assertInSync(...phones: Phone[]): Promise<void> {
  for (const phone of phones) {
    for (const table of TABLES) {
      const dirty = (await phone.rows(table)).filter((row) => row._status !== 'synced')
      assert.deepEqual(dirty, [], `${phone.username} has unsynced ${table}`)
      assert.deepEqual(await deleted(phone.database, table), [])
    }
    const drift = await phone.cotton.checkDrift()
    assert.deepEqual(drift?.tables, {}, `${phone.username} drifted`)
  }
  assert.deepEqual(complaints, [])
}
