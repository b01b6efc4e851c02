/**
 * What can go wrong between this phone and the server.
 *
 * Owns: the errors that the SDK throws and how a problem document becomes one. Must not know: who asks what.
 * Invariant: `code` is stable and for programs, the message is for a person (test/unit/transport.test.ts).
 */

/** The server's answer was not what was hoped for. `code` is stable (RFC 9457 problem); the message is for a person. */
export class SyncError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly problem: Record<string, unknown>,
    /** How long the server asks to wait, in milliseconds; null: it does not say. */
    readonly waitMs: number | null = null,
  ) {
    super(`${code} (${status}): ${detail}`)
    this.name = 'SyncError'
  }
}

/** There was no answer, or not all of it: no network, a timeout, a connection that was cut. Asking again is safe. */
export class NetworkError extends Error {
  constructor(
    message: string,
    override readonly cause?: unknown,
  ) {
    super(message)
    this.name = 'NetworkError'
  }
}

/** The caller called it off. */
export class Cancelled extends Error {
  constructor() {
    super('It was called off.')
    this.name = 'Cancelled'
  }
}

/** The session has ended, or there never was one: somebody has to log in. What is unsynced stays. */
export class LoginNeeded extends Error {
  constructor(readonly code: string) {
    super(`Log in: ${code}`)
    this.name = 'LoginNeeded'
  }
}

/** Make an error of an answer, a problem document or whatever a proxy sends instead. */
export function syncError(status: number, text: string, waitMs: number | null = null): SyncError {
  let problem: Record<string, unknown> = {}
  try {
    problem = JSON.parse(text) as Record<string, unknown>
  } catch {
    // Not JSON: a proxy's error page. The status and the beginning of the text are all there is to tell.
  }
  const code = typeof problem['code'] === 'string' ? problem['code'] : 'http_error'
  const detail = typeof problem['detail'] === 'string' ? problem['detail'] : text.slice(0, 200)
  return new SyncError(status, code, detail, problem, waitMs)
}
