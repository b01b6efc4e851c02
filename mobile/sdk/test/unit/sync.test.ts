/** The two calls: the requests are those of WatermelonDB's documentation, and anything but 200 throws. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { SyncError } from '../../src/errors'
import { cottonSync } from '../../src/sync'
import type { Fetch } from '../../src/transport'

type Asked = [url: string, options: Parameters<Fetch>[1]]

function answering(status: number, body: string): { fetch: Fetch; asked: Asked[] } {
  const asked: Asked[] = []
  const fetch: Fetch = async (url, options) => {
    asked.push([url, options])
    return { status, text: async () => body }
  }
  return { fetch, asked }
}

const token = async (): Promise<string> => 't0ken'

describe('cottonSync', () => {
  it('pulls with null on the first sync and the migration as JSON', async () => {
    const { fetch, asked } = answering(200, '{"timestamp":5,"changes":{}}')
    const { pullChanges } = cottonSync({ url: 'http://erp/', token, fetch })
    const migration = { from: 1, tables: ['a&b'], columns: [] }

    assert.deepEqual(await pullChanges({ schemaVersion: 1, migration: null }), { timestamp: 5, changes: {} })
    await pullChanges({ lastPulledAt: 7, schemaVersion: 2, migration })

    assert.equal(asked[0]?.[0], 'http://erp/api/v1/sync?last_pulled_at=null&schema_version=1&migration=null')
    assert.equal(asked[0]?.[1].headers['authorization'], 'Bearer t0ken')
    const query = new URL(asked[1]?.[0] ?? '').searchParams
    assert.deepEqual([query.get('last_pulled_at'), query.get('schema_version')], ['7', '2'])
    assert.deepEqual(JSON.parse(query.get('migration') ?? ''), migration)
  })

  it('pushes the bare changes object', async () => {
    const { fetch, asked } = answering(200, '{}')
    const changes = { trades: { created: [], updated: [], deleted: ['x'] } }

    assert.deepEqual(await cottonSync({ url: 'http://erp', token, fetch }).pushChanges({ changes, lastPulledAt: 9 }), {})

    assert.equal(asked[0]?.[0], 'http://erp/api/v1/sync?last_pulled_at=9')
    assert.deepEqual(JSON.parse(String(asked[0]?.[1].body ?? '')), changes)
  })

  it('throws the code and the detail of a problem', async () => {
    const { fetch } = answering(409, '{"code":"conflict","detail":"changed meanwhile","conflicts":[1]}')
    const pushed = cottonSync({ url: 'http://erp', token, fetch }).pushChanges({ changes: {}, lastPulledAt: 1 })

    await assert.rejects(pushed, (error: SyncError) => {
      assert.ok(error instanceof SyncError)
      assert.deepEqual([error.status, error.code, error.detail], [409, 'conflict', 'changed meanwhile'])
      assert.deepEqual(error.problem['conflicts'], [1])
      return true
    })
  })

  it('throws the beginning of an answer that is no problem document', async () => {
    const { fetch } = answering(502, '<html>Bad gateway')

    await assert.rejects(cottonSync({ url: 'http://erp', token, fetch }).pullChanges({ schemaVersion: 1, migration: null }), {
      code: 'http_error',
      detail: '<html>Bad gateway',
    })
  })
})
