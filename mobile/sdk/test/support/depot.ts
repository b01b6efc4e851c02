/**
 * A server of uploads in memory, as the real one answers (tests/integration/test_uploads.py), and a network that can be made bad.
 *
 * Owns: the bytes that came, and what goes wrong with a request. Must not know: what the SDK does.
 * Invariant: a part counts as a whole or not at all, and only where the last one ended; a checksum that does not fit counts nothing.
 */
import { createHash } from 'node:crypto'

import type { AttachmentSource, Fetch } from '../../src'
import type { Random } from './random'

/** `cut`: never came; `lost`: done, but the answer was lost; `damaged`: a byte changed on its way. */
export type Mishap = 'none' | 'cut' | 'lost' | 'damaged'
type Said = { status: number; headers?: Record<string, string>; body?: object }

interface Held {
  size: number
  parts: Uint8Array[]
  verified: boolean
}

export class Depot {
  readonly held = new Map<string, Held>()
  asked: string[] = []
  /** Bytes of all parts that counted. */
  taken = 0
  parts: number[] = []
  most = 0
  mishap: (method: string, id: string) => Mishap = () => 'none'
  /** Answers in place of the server; null: the server answers. */
  instead: (method: string, id: string) => Said | null = () => null
  private under = 0

  readonly fetch: Fetch = async (url, { method, headers, body, signal }) => {
    const id = /attachments\/([^/]+)\/bytes$/.exec(url)?.[1] ?? ''
    this.asked.push(`${method} ${id}`)
    const mishap = this.mishap(method, id)
    this.under += 1
    this.most = Math.max(this.most, this.under)
    await new Promise((done) => setTimeout(done))
    this.under -= 1
    if (signal?.aborted || mishap === 'cut') throw new Error('cut')
    const sent = body instanceof Uint8Array ? Uint8Array.from(body) : new Uint8Array()
    if (mishap === 'damaged' && sent.length > 0) sent[0] = (sent[0] as number) ^ 1
    const said = this.instead(method, id) ?? this.answer(method, id, headers, sent)
    if (mishap === 'lost') throw new Error('lost')
    const known = new Map(Object.entries(said.headers ?? {}))
    return { status: said.status, headers: { get: (name) => known.get(name) ?? null }, text: async () => (said.body ? JSON.stringify(said.body) : '') }
  }

  /** What came of a file. */
  bytesOf(id: string): Buffer {
    return Buffer.concat(this.held.get(id)?.parts ?? [])
  }

  /** Forget what came of all files: they waited too long. */
  expire(): void {
    for (const [id, { verified }] of this.held) if (!verified) this.held.delete(id)
  }

  private answer(method: string, id: string, headers: Record<string, string>, sent: Uint8Array): Said {
    const held = this.held.get(id)
    if (method === 'POST') return this.begin(id, held, Number(headers['upload-length']))
    if (!held) return problem(410, 'upload_gone')
    const received = sizeOf(held)
    if (method !== 'PATCH') return { status: 200, headers: { 'upload-offset': String(received) } }
    if (Number(headers['upload-offset']) !== received) return problem(409, 'offset_conflict')
    const checksum = `sha256 ${createHash('sha256').update(sent).digest('base64')}`
    if (headers['upload-checksum'] !== checksum) return problem(460, 'checksum_mismatch')
    held.parts.push(sent)
    this.parts.push(sent.length)
    this.taken += sent.length
    held.verified = sizeOf(held) === held.size
    return { status: 204, headers: { 'upload-offset': String(sizeOf(held)) } }
  }

  private begin(id: string, held: Held | undefined, size: number): Said {
    if (held?.verified) return problem(409, 'already_uploaded')
    if (!held) this.held.set(id, { size, parts: [], verified: false })
    return { status: 201, headers: { 'upload-offset': String(held ? sizeOf(held) : 0) } }
  }
}

export function problem(status: number, code: string): Said {
  return { status, body: { code, detail: `It is ${code}.` } }
}

function sizeOf({ parts }: Held): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}

/** Bytes of a file that begins like a JPEG. */
export function photo(random: Random, size: number): Uint8Array {
  const bytes = Uint8Array.from({ length: size }, () => random.below(256))
  bytes.set([0xff, 0xd8, 0xff])
  return bytes
}

export function sourceOf(bytes: Uint8Array): AttachmentSource {
  return { size: bytes.length, read: async (offset, length) => bytes.slice(offset, offset + length) }
}
