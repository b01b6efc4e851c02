/**
 * SHA-256 (FIPS 180-4) of a text or of bytes, in plain integers: React Native has no crypto of its own, and the SDK no dependency.
 *
 * Owns: the hash. Must not know: what is hashed.
 * Invariant: the digest is that of every other SHA-256 (test/unit/sha256.test.ts compares with Node's).
 */
const ROUNDS = 64
const FRACTIONS = fractions(3)
const START = fractions(2).slice(0, 8)

/** The first 32 bits of the fractional parts of the square (2) or cube (3) roots of the first 64 primes. */
function fractions(root: 2 | 3): Int32Array {
  const found: number[] = []
  for (let n = 2; found.length < ROUNDS; n += 1) {
    let prime = true
    for (let d = 2; d * d <= n && prime; d += 1) prime = n % d !== 0
    const exact = root === 2 ? Math.sqrt(n) : Math.cbrt(n)
    if (prime) found.push(((exact - Math.floor(exact)) * 2 ** 32) | 0)
  }
  return Int32Array.from(found)
}

const schedule = new Int32Array(ROUNDS)
const state = new Int32Array(8)
let bytes = new Uint8Array(4096)

/** Give the digest of the UTF-8 form of `text` as eight signed words; the array is used again by the next call. */
export function sha256(text: string): Int32Array {
  let length = encode(text)
  const bits = length * 8
  bytes[length++] = 0x80
  while (length % 64 !== 56) bytes[length++] = 0
  for (let shift = 56; shift >= 0; shift -= 8) bytes[length++] = Math.floor(bits / 2 ** shift) & 0xff
  state.set(START)
  for (let start = 0; start < length; start += 64) compress(state, bytes, start)
  return state
}

/** The hash of bytes that come piece by piece. */
export class Sha256 {
  private readonly state = Int32Array.from(START)
  private readonly block = new Uint8Array(128)
  private held = 0
  private length = 0

  add(piece: Uint8Array): this {
    this.length += piece.length
    let at = 0
    if (this.held > 0) {
      at = Math.min(64 - this.held, piece.length)
      this.block.set(piece.subarray(0, at), this.held)
      this.held += at
      if (this.held < 64) return this
      compress(this.state, this.block, 0)
    }
    for (; at + 64 <= piece.length; at += 64) compress(this.state, piece, at)
    this.block.set(piece.subarray(at))
    this.held = piece.length - at
    return this
  }

  /** Give the 32 bytes; nothing can be added after that. */
  digest(): Uint8Array {
    const { block, state, held } = this
    const end = held < 56 ? 64 : 128
    block.fill(0, held)
    block[held] = 0x80
    const bits = this.length * 8
    for (let place = 1; place <= 8; place += 1) block[end - place] = Math.floor(bits / 2 ** (8 * (place - 1))) & 0xff
    for (let start = 0; start < end; start += 64) compress(state, block, start)
    const digest = new Uint8Array(32)
    state.forEach((word, place) => new DataView(digest.buffer).setInt32(place * 4, word))
    return digest
  }
}

/** Write UTF-8 to `bytes` and give its length; half a character is written as U+FFFD, as TextEncoder does. */
function encode(text: string): number {
  const most = text.length * 3 + 128 // and the padding
  if (bytes.length < most) bytes = new Uint8Array(most * 2)
  let at = 0
  for (let n = 0; n < text.length; n += 1) {
    let point = text.charCodeAt(n)
    if (point < 0x80) {
      bytes[at++] = point
      continue
    }
    if (point >= 0xd800 && point < 0xe000) {
      const next = text.charCodeAt(n + 1)
      const paired = point < 0xdc00 && next >= 0xdc00 && next < 0xe000
      point = paired ? 0x10000 + ((point - 0xd800) << 10) + (next - 0xdc00) : 0xfffd
      if (paired) n += 1
    }
    if (point < 0x800) bytes[at++] = 0xc0 | (point >> 6)
    else {
      if (point < 0x10000) bytes[at++] = 0xe0 | (point >> 12)
      else {
        bytes[at++] = 0xf0 | (point >> 18)
        bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      }
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
    }
    bytes[at++] = 0x80 | (point & 0x3f)
  }
  return at
}

function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}

function compress(state: Int32Array, from: Uint8Array, start: number): void {
  const w = schedule
  for (let n = 0; n < 16; n += 1) {
    const at = start + n * 4
    w[n] = ((from[at] as number) << 24) | ((from[at + 1] as number) << 16) | ((from[at + 2] as number) << 8) | (from[at + 3] as number)
  }
  for (let n = 16; n < ROUNDS; n += 1) {
    const far = w[n - 15] as number
    const near = w[n - 2] as number
    const small = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3)
    const large = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10)
    w[n] = ((w[n - 16] as number) + small + (w[n - 7] as number) + large) | 0
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
  for (let n = 0; n < ROUNDS; n += 1) {
    const chosen = (e & f) ^ (~e & g)
    const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + chosen + (FRACTIONS[n] as number) + (w[n] as number)) | 0
    const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + second) | 0
  }
  const sums = [a, b, c, d, e, f, g, h]
  for (let n = 0; n < 8; n += 1) state[n] = (state[n] as number) + (sums[n] as number)
}
