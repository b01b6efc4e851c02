/**
 * The app's `pullChanges` and `pushChanges` for WatermelonDB's `synchronize()`.
 *
 * For apps that call `synchronize()` themselves; `CottonSync` does more. Owns: the two HTTP calls. Must not know: tables, models.
 * Invariant: the requests are those of the snippet in WatermelonDB's documentation, plus a bearer token
 * (tests/acceptance/test_watermelondb.py).
 */
import type { SyncPullArgs, SyncPullResult, SyncPushArgs, SyncPushResult } from '@nozbe/watermelondb/sync'

import { syncError } from './errors'
import { globalFetch } from './transport'
import type { Fetch } from './transport'

export interface CottonSyncOptions {
  /** The server's root: `https://erp.example.com`. */
  url: string
  /** Gives a fresh access token; asked before each request. */
  token: () => Promise<string>
  fetch?: Fetch
}

/** What `synchronize()` wants. */
export interface StockPair {
  pullChanges(args: SyncPullArgs): Promise<SyncPullResult>
  pushChanges(args: SyncPushArgs): Promise<SyncPushResult>
}

/** Make the pair that `synchronize({ database, ...cottonSync({ url, token }), migrationsEnabledAtVersion: 1 })` wants. */
export function cottonSync({ url, token, fetch = globalFetch() }: CottonSyncOptions): StockPair {
  const endpoint = `${url.replace(/\/+$/, '')}/api/v1/sync`
  const call = async <T>(method: string, query: string, body?: string): Promise<T> => {
    const headers: Record<string, string> = { authorization: `Bearer ${await token()}`, accept: 'application/json' }
    if (body !== undefined) headers['content-type'] = 'application/json'
    const answer = await fetch(`${endpoint}?${query}`, { method, headers, ...(body === undefined ? {} : { body }) })
    const text = await answer.text()
    if (answer.status !== 200) throw syncError(answer.status, text)
    return JSON.parse(text) as T
  }
  return {
    pullChanges: ({ lastPulledAt, schemaVersion, migration }) =>
      call(
        'GET',
        `last_pulled_at=${lastPulledAt ?? null}&schema_version=${schemaVersion}` +
          `&migration=${encodeURIComponent(JSON.stringify(migration ?? null))}`,
      ),
    pushChanges: ({ changes, lastPulledAt }) =>
      call('POST', `last_pulled_at=${lastPulledAt}`, JSON.stringify(changes)),
  }
}
