/** The hash by itself, against Node's: texts, and bytes in pieces of all lengths. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'

import { Sha256, sha256 } from '../../src/sha256'
import { Random } from '../support/random'

const node = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

describe('SHA-256', () => {
  it('of a text is that of its UTF-8 form', () => {
    for (const text of ['', 'a', 'કપાસ', '\u{1f4f7} lot 7', 'x'.repeat(55), 'x'.repeat(56), 'x'.repeat(64), 'y'.repeat(10_000)]) {
      const words = Array.from(sha256(text), (word) => (word >>> 0).toString(16).padStart(8, '0'))
      assert.equal(words.join(''), node(text))
    }
  })

  it('of bytes is the same in whatever pieces they come', () => {
    const random = new Random()
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 70_000]) {
      const data = Uint8Array.from({ length }, () => random.below(256))
      const hash = new Sha256()
      for (let at = 0; at < length; ) {
        const next = at + random.below(150)
        hash.add(data.subarray(at, next))
        at = next
      }
      assert.equal(Buffer.from(hash.digest()).toString('hex'), node(data), `${String(length)} bytes`)
    }
  })
})
