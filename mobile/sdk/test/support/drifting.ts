/**
 * Drift for the tests: rows that a fault has spoilt, and what it costs to find them.
 *
 * Owns: writing past the sync, and counting bytes. Must not know: how drift is found.
 * Invariant: what is spoilt counts as synced, so no push would mend it.
 */
import assert from 'node:assert/strict'

import type { Api } from '../../src/drift'
import { serverUrl, token } from './device'
import type { Device } from './device'

/** The requests as a transport sends them, and how many bytes went out and came back. */
export class Counting implements Api {
  said = 0
  heard = 0
  constructor(private readonly username: string) {}

  async post<T>(path: string, body: unknown): Promise<T> {
    const headers = { authorization: `Bearer ${await token(this.username)}`, 'content-type': 'application/json' }
    const answer = await fetch(`${serverUrl()}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    const text = await answer.text()
    assert.equal(answer.status, 200, text)
    this.said += JSON.stringify(body).length
    this.heard += text.length
    return JSON.parse(text) as T
  }
}

/** Write rows past the sync, as a broken disk or an old fault would: they count as synced. */
export async function spoil(device: Device, count: number): Promise<string[]> {
  const collection = device.database.get('business_partners')
  const found = (await collection.query().fetch()).slice(0, count + 1)
  const [gone, ...bent] = found
  assert.ok(gone && bent.length === count)
  await device.database.write(async () => {
    await gone.destroyPermanently()
    const edits = bent.map((record) => record.prepareUpdate(() => record._setRaw('legal_name', 'bent')))
    await device.database.batch(...edits)
    const clean = bent.map((record) =>
      record.prepareUpdate(() => {
        record._raw._status = 'synced'
        record._raw._changed = ''
      }),
    )
    await device.database.batch(...clean)
  })
  return found.map((record) => record.id)
}
