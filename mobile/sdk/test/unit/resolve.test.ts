/** The resolver: the server's merge where there is a base, WatermelonDB's proposal and the server's own columns where not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { conflictResolver, resolveConflict } from '../../src/resolve'

const local = { id: 'p', _status: 'updated', _changed: 'name,tags,updated_at', name: 'here', tags: '["b","a"]', updated_at: 1, version: 1 }
const remote = { id: 'p', name: 'there', tags: '["c"]', updated_at: 9 }
const proposed = () => ({ ...local, ...remote, name: 'here', tags: '["b","a"]', updated_at: 1 })

describe('the resolver of the stock pair', () => {
  it('corrects what the server alone writes, joins sets, and leaves the rest as WatermelonDB proposes', () => {
    const resolved = conflictResolver('business_partners', { ...local }, { ...remote }, proposed())
    assert.deepEqual(resolved, { ...proposed(), tags: '["a","b","c"]', updated_at: 9 })
  })

  it('proposes nothing of its own for a deleted record, an unknown table, or no change', () => {
    const deleted = { ...local, _status: 'deleted' }
    assert.equal(conflictResolver('business_partners', deleted, remote, deleted), deleted)
    assert.deepEqual(conflictResolver('nowhere', local, remote, proposed()), proposed())
    assert.deepEqual(conflictResolver('business_partners', { ...local, _changed: '' }, remote, proposed()), proposed())
  })

  it('does not throw at values that no table has', () => {
    for (const tags of ['', 'no JSON', '{}', '[1,null]', null, 5, undefined]) {
      assert.doesNotThrow(() => conflictResolver('business_partners', { ...local, tags }, { ...remote, tags: '[' }, proposed()))
    }
    assert.doesNotThrow(() => conflictResolver('business_partners', local, { id: 'p' }, proposed()))
  })
})

describe('the resolver with a base', () => {
  const base = { bales_reserved: 40, bales_offered: 100, remarks: 'x' }
  const mine = { id: 'a', _status: 'updated', _changed: 'bales_reserved', ...base, bales_reserved: 60 }

  it('adds up what both took, and keeps id, _status and _changed', () => {
    const resolved = resolveConflict('availabilities', base, { ...base, bales_reserved: 50 }, mine)
    assert.deepEqual(resolved, { id: 'a', _status: 'updated', _changed: 'bales_reserved', ...base, bales_reserved: 70 })
  })

  it('keeps ours where a person must decide', () => {
    const resolved = resolveConflict('availabilities', base, { ...base, bales_reserved: 90 }, mine) as unknown as typeof base
    assert.equal(resolved.bales_reserved, 90)
  })

  it('knows what the phone changed from the base if WatermelonDB did not note it', () => {
    const resolved = resolveConflict('availabilities', base, { ...base, bales_reserved: 50 }, { ...mine, _changed: '' })
    assert.equal((resolved as unknown as typeof base).bales_reserved, 70)
  })
})
