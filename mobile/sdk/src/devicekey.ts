/**
 * Proofs that this device still has its key: a refresh token that was copied is worth nothing without them (RFC 9449).
 *
 * The key is the app's to keep, in secure hardware where there is some: it gives a `Signer`. In a browser `crypto.subtle` makes
 * one whose private half cannot be read.
 *
 * Owns: the form of a proof. Must not know: where keys are.
 * Invariant: the server takes a proof once, for one refresh token (test/server/session.test.ts).
 */
import { sha256 } from './sha256'

/** A P-256 key whose private half stays where it is. */
export interface Signer {
  /** The public half, as PEM or JWK. */
  publicKey(): Promise<string | Record<string, unknown>>
  /** The ECDSA signature, with SHA-256, of the UTF-8 form of `text`: 64 bytes, r and s. */
  sign(text: string): Promise<Uint8Array>
}

/** Make the DPoP header for a refresh. */
export async function proofOf(signer: Signer, method: string, url: string, token: string): Promise<string> {
  const head = { typ: 'dpop+jwt', alg: 'ES256' }
  const claims = { htm: method, htu: url, iat: Math.floor(Date.now() / 1000), jti: randomId(), ath: base64url(bytesOf(sha256(token))) }
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
