import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { boundOf } from '../../src/backoff'

describe('the bound of a wait', () => {
  it('doubles until it is the longest', () => {
    const waits = [0, 1, 2, 3, 4, 5].map((failures) => boundOf({ first: 2000, longest: 30_000 }, failures))
    assert.deepEqual(waits, [2000, 4000, 8000, 16_000, 30_000, 30_000])
  })

  it('stays a number however often it fails', () => {
    assert.equal(boundOf({ first: 2000, longest: 300_000 }, 1e6), 300_000)
  })
})
