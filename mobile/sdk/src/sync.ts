/**
 * The app's `pullChanges` and `pushChanges` for WatermelonDB's `synchronize()`.
 *
 * Owns: the two HTTP calls and the error they throw. Must not know: tables, models.
 * Invariant: the requests are those of the snippet in WatermelonDB's documentation, plus a bearer token
 * (tests/acceptance/test_watermelondb.py).
 */
import type { SyncPullArgs, SyncPullResult, SyncPushArgs, SyncPushResult } from '@nozbe/watermelondb/sync'

/** The part of `fetch` that is used; React Native's, the browser's and Node's all fit. */
export type Fetch = (
  url: string,
  options: { method: string; headers: Record<string, string>; body?: string },
) => Promise<{ status: number; text(): Promise<string> }>

export interface CottonSyncOptions {
  /** The server's root: `https://erp.example.com`. */
  url: string
  /** Gives a fresh access token; asked before each request. */
  token: () => Promise<string>
  fetch?: Fetch
}

/** The server's answer was not 200. `code` is stable (RFC 9457 problem); the message is for a person. */
export class SyncError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly problem: Record<string, unknown>,
  ) {
    super(`${code} (${status}): ${detail}`)
    this.name = 'SyncError'
  }
}

export interface CottonSync {
  pullChanges(args: SyncPullArgs): Promise<SyncPullResult>
  pushChanges(args: SyncPushArgs): Promise<SyncPushResult>
}

/** Make the pair that `synchronize({ database, ...cottonSync({ url, token }), migrationsEnabledAtVersion: 1 })` wants. */
export function cottonSync({ url, token, fetch = globalFetch() }: CottonSyncOptions): CottonSync {
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

function globalFetch(): Fetch {
  const found = (globalThis as { fetch?: Fetch }).fetch
  if (!found) throw new Error('There is no global fetch here: pass one as cottonSync({ fetch }).')
  return found
}

function syncError(status: number, text: string): SyncError {
  let problem: Record<string, unknown> = {}
  try {
    problem = JSON.parse(text) as Record<string, unknown>
  } catch {
    // Not JSON: a proxy's error page. The status and the beginning of the text are all there is to tell.
  }
  const code = typeof problem['code'] === 'string' ? problem['code'] : 'http_error'
  const detail = typeof problem['detail'] === 'string' ? problem['detail'] : text.slice(0, 200)
  return new SyncError(status, code, detail, problem)
}
