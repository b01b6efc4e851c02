/**
 * What an error of an upload means: whether to try again by itself, whether others have to wait, too, and what to tell a person.
 *
 * Owns: the verdict. Must not know: what is done about it.
 * Invariant: what a repetition may mend is never final (test/unit/attachments.test.ts).
 */
import { LoginNeeded, NetworkError, SyncError } from './errors'

/** Answers after which a repetition may well succeed; so are all from 500 up. */
const AGAIN: ReadonlySet<number> = new Set([401, 408, 409, 410, 425, 429, 460])
/** Of these the server as a whole is the cause, and not the file. */
const BUSY: ReadonlySet<number> = new Set([429, 503])
/** What was said by something between, a proxy or a Wi-Fi's login page; what broke on its way; what a sync settles. */
const PASSING: ReadonlySet<string> = new Set(['http_error', 'body_incomplete', 'device_wiping'])

/** The file cannot be sent as it is. */
export class Unfit extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/** Whether the same upload may succeed a little later, with nobody doing anything. */
export function helpsAgain(error: unknown): boolean {
  if (error instanceof NetworkError || error instanceof LoginNeeded) return true
  return error instanceof SyncError && (error.status >= 500 || AGAIN.has(error.status) || PASSING.has(error.code))
}

export function reasonOf(error: unknown): { code: string; message: string } {
  if (error instanceof SyncError) return { code: error.code, message: error.detail }
  if (error instanceof LoginNeeded || error instanceof Unfit) return { code: error.code, message: error.message }
  if (error instanceof NetworkError) return { code: 'network', message: error.message }
  return { code: 'file_unreadable', message: error instanceof Error ? error.message : String(error) }
}

/** Whether no other file would fare better now. */
export function concernsAll(error: unknown): boolean {
  return error instanceof NetworkError || (error instanceof SyncError && BUSY.has(error.status))
}
