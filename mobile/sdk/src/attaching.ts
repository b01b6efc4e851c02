/**
 * What an app says of a file that it attaches, and the record that is made of it.
 *
 * Owns: the columns, and what is refused at once. Must not know: the database, the queue.
 * Invariant: an attachment belongs to exactly one record (test/unit/attachments.test.ts).
 */
import type { AttachmentKind } from './generated/types'

/** Whose it is: exactly one of them. */
const OWNERS = {
  partnerId: 'partner_id',
  availabilityId: 'availability_id',
  tradeId: 'trade_id',
  inspectionId: 'inspection_id',
  weighmentId: 'weighment_id',
  dispatchId: 'dispatch_id',
} as const
type OwnerName = keyof typeof OWNERS
export type AttachmentOwner = { [Name in OwnerName]: { [One in Name]: string } }[OwnerName]

export type NewAttachment = AttachmentOwner & {
  /** The name by which `open` finds the file, now and after the app's next start. */
  file: string
  /** Default: `photo`. */
  kind?: AttachmentKind
  capturedAt?: Date
  /** Where it was taken, by the phone. */
  latitude?: number
  longitude?: number
}

/** A file that cannot be attached; `code` is stable, the message is for a person. */
export class AttachmentError extends Error {
  constructor(
    readonly code: 'no_files' | 'of_one_record' | 'wrong_type' | 'empty' | 'attachment_too_large',
    message: string,
  ) {
    super(message)
    this.name = 'AttachmentError'
  }
}

/** No server takes more. */
const BYTES_MAX = 2 ** 28

export function noFiles(): AttachmentError {
  return new AttachmentError('no_files', 'Give CottonSync a way to open files: attachments: { open }.')
}

export function checkSize(size: number): void {
  if (size === 0) throw new AttachmentError('empty', 'The file is empty.')
  if (size > BYTES_MAX) throw new AttachmentError('attachment_too_large', 'The file is larger than 256 MiB.')
}

export function columnsOf(attaching: NewAttachment): Record<string, string | number> {
  const { kind = 'photo', capturedAt, latitude, longitude } = attaching
  const named = Object.entries(OWNERS).flatMap(([name, column]) => {
    const id = (attaching as Partial<Record<string, unknown>>)[name]
    return typeof id === 'string' ? [[column, id] as const] : []
  })
  if (named.length !== 1) throw new AttachmentError('of_one_record', 'Say of exactly one record that this belongs to it.')
  return {
    ...Object.fromEntries(named),
    kind,
    state: 'declared',
    ...(capturedAt ? { captured_at: capturedAt.getTime() } : {}),
    ...(latitude === undefined || longitude === undefined ? {} : { latitude, longitude }),
  }
}
