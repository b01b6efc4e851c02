/** Hashes and sums: as every other SHA-256 has them, and whatever the order of rows. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'

import { schema } from '../../src'
import { Tally, bucketOf, bucketsFor, canonicalRow } from '../../src/digest'
import type { Raw } from '../../src/digest'
import { sha256 } from '../../src/sha256'

const UNITS = schema.tables['units' as never] as never
const hex = (text: string) => Buffer.from(Int32Array.from(sha256(text)).map((word) => word).buffer).swap32().toString('hex')
const nodes = (text: string) => createHash('sha256').update(text).digest('hex')

function unit(n: number): Raw {
  return { id: `u${n}`, _status: 'synced', _changed: '', code: `c${n}`, name: 'બેલ 🌾', dimension: 'mass', factor_to_base: n / 8, created_at: n, updated_at: 0, created_by: null, updated_by: null }
}

describe('sha256', () => {
  it('is that of Node for every length around a block, and for text of all widths', () => {
    for (let length = 0; length < 200; length += 1) assert.equal(hex('x'.repeat(length)), nodes('x'.repeat(length)))
    for (const text of ['', 'é', 'બેલ', '🌾', 'a🌾b'.repeat(5000), '\ud800', 'a\udc00b', '\ud83c\ud83c\udf3e', '\u0000\u007f\u0080\u07ff\u0800\uffff']) {
      assert.equal(hex(text), nodes(text))
    }
  })
})

describe('digests', () => {
  it('are the sums of the rows of each bucket, modulo 2^64', () => {
    const rows = Array.from({ length: 500 }, (_, n) => unit(n))
    const count = bucketsFor(rows.length)
    const sums = new Array<bigint>(count).fill(0n)
    for (const row of rows) {
      const { _status, _changed, ...columns } = row
      const bucket = parseInt(nodes(row.id).slice(0, 8), 16) >>> (32 - Math.log2(count))
      sums[bucket] = ((sums[bucket] as bigint) + BigInt(`0x${nodes(JSON.stringify(Object.values(columns))).slice(0, 16)}`)) % 2n ** 64n
      assert.equal(bucketOf(row.id, count), bucket)
    }
    const tallies = [rows, [...rows].reverse()].map((order) => {
      const tally = new Tally(UNITS, count)
      for (const row of order) tally.add(row)
      return tally.digests()
    })
    assert.deepEqual(tallies[0], sums.map((sum) => sum.toString(16).padStart(16, '0')))
    assert.deepEqual(tallies[0], tallies[1])
  })

  it('tell rows apart that differ in one column', () => {
    const name = (value: string) => canonicalRow({ ...unit(1), name: value }, UNITS)
    assert.notEqual(name('a'), name('b'))
  })

  it('have one bucket up to 32 rows, then the next power of two, at most 4096', () => {
    assert.deepEqual([0, 32, 33, 64, 65, 131_072, 10_000_000].map(bucketsFor), [1, 1, 2, 2, 4, 4096, 4096])
  })
})
