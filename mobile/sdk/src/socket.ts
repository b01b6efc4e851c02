/**
 * What a live connection needs of a WebSocket, and what is said on it.
 *
 * Owns: the shapes. Must not know: when anything is said. Invariant: what cannot be read is nothing, not an error
 * (test/unit/live.test.ts).
 */

/** The part of a WebSocket that is used; React Native's, the browser's and Node's all fit. */
export interface LiveSocket {
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(text: string): void
  close(code?: number, reason?: string): void
}
export type LiveSocketClass = new (url: string, protocols?: string[]) => LiveSocket

/** `live`: hints come; `connecting`; `waiting`: it will be tried again; `resting`: no network, or nobody looks; `stopped`. */
export type LiveState = 'stopped' | 'resting' | 'connecting' | 'live' | 'waiting'

/** What the server says; more kinds and members may come. */
export interface LiveFrame {
  type: string
  clock?: number
  due?: number
  heartbeat?: number
  entities?: string[]
  channels?: string[]
  channel?: string
  code?: string
  [more: string]: unknown
}

/** Read what came; null: nothing that can be read. */
export function frameOf(data: unknown): LiveFrame | null {
  try {
    const frame: unknown = typeof data === 'string' ? JSON.parse(data) : null
    return typeof frame === 'object' && frame !== null && 'type' in frame ? (frame as LiveFrame) : null
  } catch {
    return null
  }
}

/** The platform's own. Throws where there is none. */
export function platformSocket(): LiveSocketClass {
  const { WebSocket } = globalThis as { WebSocket?: LiveSocketClass }
  if (WebSocket === undefined) throw new Error('no WebSocket here: give one as options.WebSocket')
  return WebSocket
}
