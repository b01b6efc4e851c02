/** A push is named by what it carries, and a problem's pointer finds its record. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'

import type { Changes, Raw } from '../../src/unsynced'
import { countRemote, pointedAt, pushIdOf } from '../../src/wire'

const row = (id: string): Raw => ({ id, _status: 'created', _changed: '' })
const changes: Changes = { trades: { created: [row('a')], updated: [row('b'), row('c')], deleted: ['d'] } }

describe('the name of a push', () => {
  it('follows from cursor, changes and author, and from nothing else', () => {
    assert.equal(pushIdOf(7, changes), createHash('sha256').update(JSON.stringify([7, changes, ''])).digest('hex').slice(0, 32))
    assert.equal(pushIdOf(7, structuredClone(changes)), pushIdOf(7, changes))
    const names = [pushIdOf(7, changes), pushIdOf(8, changes), pushIdOf(null, changes), pushIdOf(7, {}), pushIdOf(7, changes, 'ramesh')]
    assert.equal(new Set(names).size, 5)
  })
})

describe('a pointer', () => {
  it('names the record that the server could not read', () => {
    assert.deepEqual(pointedAt('/changes/trades/updated/1/bales', changes), { table: 'trades', id: 'c' })
    assert.deepEqual(pointedAt('/changes/trades/deleted/0', changes), { table: 'trades', id: 'd' })
  })

  it('may be at something else', () => {
    for (const pointer of ['/push_id', '/changes/trades', '/changes/trades/created/9', '/changes/lots/created/0', undefined, 3]) {
      assert.equal(pointedAt(pointer, changes), null)
    }
  })
})

describe('an answer', () => {
  it('is counted in rows and deletions', () => {
    assert.equal(countRemote({ trades: { created: [{ id: 'a' }], deleted: ['b', 'c'] }, units: {} }), 3)
    assert.equal(countRemote(undefined), 0)
  })
})
