/** Device keys: proofs that any JWT library takes, keys that cannot be taken out, and what secure hardware signs. */
import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync, sign, verify, webcrypto } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'
import { describe, it } from 'node:test'

import { base64url, proofOf, rawSignature, subtleSigner } from '../../src/devicekey'
import type { KeyBox, KeyPair } from '../../src/devicekey'

type Key = webcrypto.CryptoKey
const { subtle } = webcrypto

/** Keeps keys as IndexedDB does: as they are. */
class Box implements KeyBox<Key> {
  pair: KeyPair<Key> | null = null
  fails = false

  async load(): Promise<KeyPair<Key> | null> {
    if (this.fails) throw new Error('no storage')
    return this.pair
  }

  async save(pair: KeyPair<Key>): Promise<void> {
    this.pair = pair
  }
}

function decoded(part: string | undefined): unknown {
  return JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
}

describe('a proof', () => {
  it('is a JWT of RFC 9449 over the token, signed by the key that the server is told of', async () => {
    const signer = subtleSigner(subtle, new Box())
    const proof = await proofOf(signer, 'POST', 'https://erp.example.com/api/v1/auth/refresh', 'o.token-ü', 1_795_392_000_999)

    const [head, claims, signature] = proof.split('.')
    assert.deepEqual(decoded(head), { typ: 'dpop+jwt', alg: 'ES256' })
    const { jti, ...rest } = decoded(claims) as Record<string, unknown>
    assert.match(String(jti), /^[0-9a-z]{16}$/)
    assert.deepEqual(rest, {
      htm: 'POST',
      htu: 'https://erp.example.com/api/v1/auth/refresh',
      iat: 1_795_392_000,
      ath: createHash('sha256').update('o.token-ü').digest('base64url'),
    })
    const jwk = await signer.publicKey()
    assert.deepEqual(Object.keys(jwk).sort(), ['crv', 'kty', 'x', 'y'])
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
    const isSigned = (text: string): boolean =>
      verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature ?? '', 'base64url'))
    assert.equal(isSigned(`${head}.${claims}`), true)
    assert.equal(isSigned(`${head}.${claims}x`), false)
  })

  it('is never the same twice', async () => {
    const signer = subtleSigner(subtle, new Box())
    const names = new Set<unknown>()
    for (let time = 0; time < 50; time += 1) {
      names.add((decoded((await proofOf(signer, 'POST', 'u', 't')).split('.')[1]) as { jti: unknown }).jti)
    }
    assert.equal(names.size, 50)
  })
})

describe('a key of the browser', () => {
  it('is made once, kept over restarts, and cannot be taken out', async () => {
    const box = new Box()
    const signer = subtleSigner(subtle, box)
    const [one, two] = await Promise.all([signer.publicKey(), signer.publicKey()])
    assert.deepEqual(one, two)
    assert.deepEqual(await subtleSigner(subtle, box).publicKey(), one)

    const { privateKey } = box.pair ?? assert.fail('it was not kept')
    assert.equal(privateKey.extractable, false)
    await assert.rejects(webcrypto.subtle.exportKey('pkcs8', privateKey))
    await assert.rejects(webcrypto.subtle.exportKey('jwk', privateKey))
  })

  it('is asked for again after its storage failed', async () => {
    const box = new Box()
    const signer = subtleSigner(subtle, box)
    box.fails = true
    await assert.rejects(signer.sign('text'), /no storage/)
    box.fails = false
    assert.equal((await signer.sign('text')).length, 64)
  })
})

describe('what secure hardware gives', () => {
  it('becomes the 64 bytes of a JWT, whatever the numbers are', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const lengths = new Set<number>()
    for (let round = 0; round < 600; round += 1) {
      const text = Buffer.from(`text ${round}`)
      const der = sign('sha256', text, privateKey)
      lengths.add(der.length)
      const raw = rawSignature(new Uint8Array(der))
      assert.equal(raw.length, 64)
      assert.ok(verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, raw), der.toString('hex'))
    }
    assert.ok(lengths.size > 2, 'numbers of several lengths were met')
  })

  it('is padded where numbers are short', () => {
    const raw = rawSignature(Uint8Array.of(0x30, 0x07, 0x02, 0x01, 0x05, 0x02, 0x02, 0x00, 0x81))
    assert.deepEqual([raw[31], raw[63], raw.filter((byte) => byte !== 0).length], [5, 0x81, 2])
  })
})

it('writes base64url as everybody else does', () => {
  for (let length = 0; length < 70; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, place) => (place * 37 + length * 11) & 255)
    assert.equal(base64url(bytes), Buffer.from(bytes).toString('base64url'))
  }
})
