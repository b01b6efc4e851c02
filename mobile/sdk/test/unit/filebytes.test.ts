/** Files by themselves: their hash, whoever makes it, and their type by how they begin. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'

import { blobSource } from '../../src'
import { WHOLE_MAX, hashOf, platformDigest, readAll, typeOf } from '../../src/filebytes'
import { photo, sourceOf } from '../support/depot'
import { Random } from '../support/random'

const node = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const begins = (...bytes: (number | string)[]): Uint8Array =>
  Uint8Array.from([...bytes.flatMap((one) => (typeof one === 'number' ? [one] : [...Buffer.from(one, 'latin1')])), ...new Uint8Array(20)])

describe('the bytes of a file', () => {
  it('are hashed by the platform or by plain code alike', async () => {
    for (const size of [1, 100, 300_000]) {
      const bytes = photo(new Random(), Math.max(size, 3))
      assert.equal(await hashOf(sourceOf(bytes), platformDigest()), node(bytes))
      assert.equal(await hashOf(sourceOf(bytes), null), node(bytes))
    }
  })

  it('are never all in memory if they are many', async () => {
    let most = 0
    const size = WHOLE_MAX + 1
    const source = { size, read: async (_: number, length: number) => ((most = Math.max(most, length)), new Uint8Array(length)) }
    const digest = async (): Promise<Uint8Array> => assert.fail('it was read as a whole')

    assert.equal(await hashOf(source, digest), node(new Uint8Array(size)))
    assert.ok(most <= 256 * 1024)
  })

  it('that are fewer than the file said are an error', async () => {
    const source = { size: 10, read: async () => new Uint8Array(4) }
    await assert.rejects(readAll(source, 0, 10))
    await assert.rejects(hashOf(source, null))
  })

  it('say of which type they are', async () => {
    const known = { 'image/jpeg': begins(0xff, '\xd8\xff\xe1'), 'image/png': begins(0x89, 'PNG\r\n\x1a\n'), 'image/webp': begins('RIFF....WEBP'), 'application/pdf': begins('%PDF-1.7') }
    for (const [type, bytes] of Object.entries(known)) assert.equal(await typeOf(sourceOf(bytes)), type)
    for (const bytes of [begins('....ftypheic'), begins('GIF89a'), begins('RIFF....WAVE'), Uint8Array.of(1)]) {
      assert.equal(await typeOf(sourceOf(bytes)), null)
    }
  })

  it('of a Blob are read where they are', async () => {
    const bytes = photo(new Random(), 1000)
    const source = blobSource(new Blob([Buffer.from(bytes)]))
    assert.deepEqual(await readAll(source, 990, 10), bytes.slice(990))
  })
})
