/**
 * The bytes of a file that is attached: read piece by piece, hashed, and known by how they begin.
 *
 * A file is named by a text that outlives the app (a path, a URI, a key of IndexedDB), and opened anew by it when there is a signal.
 *
 * Owns: the interface to files, their hash, their type. Must not know: records, requests.
 * Invariant: a hash covers all bytes, read once and in order; a file larger than WHOLE_MAX is never in memory as a whole
 * (test/unit/filebytes.test.ts).
 */
import type { AttachmentMediaType } from './generated/types'
import { Sha256 } from './sha256'

/** An open file. `read` gives exactly `length` bytes, which the caller never asks for past the end. */
export interface AttachmentSource {
  readonly size: number
  read(offset: number, length: number): Promise<Uint8Array>
  close?(): Promise<void> | void
}

/** Opens a file by the name under which it was attached. Throws if it cannot be read. */
export type OpenFile = (file: string) => Promise<AttachmentSource>

/** The hash of a few bytes: 32 bytes. */
export type Digest = (bytes: Uint8Array) => Promise<Uint8Array>

/** Up to here a file is hashed at once, by `Digest`; a larger one piece by piece in plain code, which is slower. */
export const WHOLE_MAX = 32 * 1024 * 1024
const PIECE = 256 * 1024

interface Subtle {
  digest(algorithm: 'SHA-256', data: Uint8Array): Promise<ArrayBuffer>
}

/** SHA-256 by the platform; null: there is no Web Crypto, as in React Native, and plain code has to do it. */
export function platformDigest(): Digest | null {
  const { crypto } = globalThis as { crypto?: { subtle?: Subtle } }
  const subtle = crypto?.subtle
  return subtle ? async (bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes)) : null
}

/** Hash a few bytes. */
export async function digestOf(bytes: Uint8Array, digest: Digest | null): Promise<Uint8Array> {
  return digest ? digest(bytes) : new Sha256().add(bytes).digest()
}

/** Hash all of a file; as hexadecimal digits. Throws what the file throws. */
export async function hashOf(source: AttachmentSource, digest: Digest | null): Promise<string> {
  const whole = digest !== null && source.size <= WHOLE_MAX ? new Uint8Array(source.size) : null
  const hash = new Sha256()
  for (let at = 0; at < source.size; at += PIECE) {
    const piece = await readAll(source, at, Math.min(PIECE, source.size - at))
    if (whole) whole.set(piece, at)
    else hash.add(piece)
  }
  const bytes = whole && digest ? await digest(whole) : hash.digest()
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Read exactly so many bytes. Throws if the file has ended. */
export async function readAll(source: AttachmentSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await source.read(offset, length)
  if (bytes.length !== length) throw new Error(`The file gave ${bytes.length} bytes at ${offset}, and not ${length}.`)
  return bytes
}

/** Say which of the types that may be attached a file is, by how it begins; null: none of them. */
export async function typeOf(source: AttachmentSource): Promise<AttachmentMediaType | null> {
  const begins = String.fromCharCode(...(await readAll(source, 0, Math.min(12, source.size))))
  if (begins.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (begins.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (begins.startsWith('RIFF') && begins.endsWith('WEBP')) return 'image/webp'
  return begins.startsWith('%PDF-') ? 'application/pdf' : null
}

/** The part of a Blob that is used. */
export interface BlobLike {
  readonly size: number
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> }
}

/** A source of a browser's File or Blob, or of Node's `openAsBlob`. */
export function blobSource(blob: BlobLike): AttachmentSource {
  return {
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  }
}
