/**
 * Proofs that this device still has its key: a refresh token that was copied is worth nothing without them (RFC 9449).
 *
 * The key is the app's to keep, in secure hardware where there is some: it gives a `Signer`, and `rawSignature` for what such
 * hardware signs. In a browser `subtleSigner` makes a key whose private half no script can read. React Native has no
 * `crypto.subtle`.
 *
 * Owns: the form of a proof. Must not know: where keys are.
 * Invariant: the server takes a proof for one refresh token, made by this key, whatever the phone's clock says
 * (test/unit/devicekey.test.ts, test/server/login.test.ts).
 */
import { sha256 } from './sha256'

/** A P-256 key whose private half stays where it is. */
export interface Signer {
  /** The public half, as PEM or JWK. */
  publicKey(): Promise<string | Record<string, unknown>>
  /** The ECDSA signature, with SHA-256, of the UTF-8 form of `text`: 64 bytes, r and s. */
  sign(text: string): Promise<Uint8Array>
}

/** The part of the Web Crypto API that is used. */
export interface Subtle<Key> {
  generateKey(algorithm: typeof P256, extractable: boolean, usages: ['sign', 'verify']): Promise<KeyPair<Key>>
  exportKey(format: 'jwk', key: Key): Promise<object>
  sign(algorithm: typeof SHA256, key: Key, data: ArrayBuffer): Promise<ArrayBuffer>
}
export interface KeyPair<Key> {
  publicKey: Key
  privateKey: Key
}

/** Where a browser's key is kept: in IndexedDB, which takes keys as they are, without ever showing them. */
export interface KeyBox<Key> {
  load(): Promise<KeyPair<Key> | null>
  save(pair: KeyPair<Key>): Promise<void>
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SHA256 = { name: 'ECDSA', hash: 'SHA-256' } as const

/** A signer by `crypto.subtle`; its key is made at its first use, and cannot be taken out. */
export function subtleSigner<Key>(subtle: Subtle<Key>, box: KeyBox<Key>): Signer {
  let pair: Promise<KeyPair<Key>> | undefined
  const open = async (): Promise<KeyPair<Key>> => {
    const kept = await box.load()
    if (kept) return kept
    const made = await subtle.generateKey(P256, false, ['sign', 'verify'])
    await box.save(made)
    return made
  }
  const key = (): Promise<KeyPair<Key>> => {
    pair ??= open().catch((error: unknown) => {
      pair = undefined // the next use tries again
      throw error
    })
    return pair
  }
  return {
    async publicKey() {
      const { kty, crv, x, y } = (await subtle.exportKey('jwk', (await key()).publicKey)) as Record<string, unknown>
      return { kty, crv, x, y }
    },
    sign: async (text) => new Uint8Array(await subtle.sign(SHA256, (await key()).privateKey, ascii(text).buffer as ArrayBuffer)),
  }
}

/** Make of a DER signature, which Android's Keystore and Apple's Secure Enclave give, the 64 bytes that a `Signer` gives. */
export function rawSignature(der: Uint8Array): Uint8Array {
  const raw = new Uint8Array(64)
  let at = 2 // a sequence of less than 128 bytes
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0
    // Below 32 bytes zeros are left out; above, there is one more, so that the number is not taken for a negative one.
    const number = der.subarray(at + 2, at + 2 + length).subarray(length > 32 ? length - 32 : 0)
    raw.set(number, end - number.length)
    at += 2 + length
  }
  return raw
}

/** Make the DPoP header for a refresh; `atMs`: the time as the server has it. */
export async function proofOf(signer: Signer, method: string, url: string, token: string, atMs = Date.now()): Promise<string> {
  const head = { typ: 'dpop+jwt', alg: 'ES256' }
  const claims = { htm: method, htu: url, iat: Math.floor(atMs / 1000), jti: randomId(), ath: base64url(bytesOf(sha256(token))) }
  const signed = [head, claims].map((part) => base64url(ascii(JSON.stringify(part)))).join('.')
  return `${signed}.${base64url(await signer.sign(signed))}`
}

/** Sixteen letters and digits, drawn; for names, not for secrets. */
export function randomId(): string {
  const letters = '0123456789abcdefghijklmnopqrstuvwxyz'
  return Array.from({ length: 16 }, () => letters[Math.floor(Math.random() * letters.length)]).join('')
}

function bytesOf(words: Int32Array): Uint8Array {
  const bytes = new Uint8Array(words.length * 4)
  words.forEach((word, place) => new DataView(bytes.buffer).setInt32(place * 4, word))
  return bytes
}

/** The UTF-8 form of a text; React Native has no TextEncoder everywhere, and JSON may escape what is not ASCII. */
function ascii(json: string): Uint8Array {
  const escaped = json.replace(/[\u0080-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return Uint8Array.from(escaped, (one) => one.charCodeAt(0))
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Base64url without padding (RFC 4648, 5). */
export function base64url(bytes: Uint8Array): string {
  let text = ''
  for (let start = 0; start < bytes.length; start += 3) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(start, start + 3)
    const all = (first << 16) | (second << 8) | third
    const letters = [18, 12, 6, 0].map((shift) => ALPHABET[(all >> shift) & 63])
    text += letters.slice(0, Math.min(bytes.length - start, 3) + 1).join('')
  }
  return text
}
