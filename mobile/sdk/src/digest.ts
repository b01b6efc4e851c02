/**
 * Digests of a table's rows as the server makes them: buckets by the id's hash, and in each the sum of its rows' hashes.
 *
 * A row is hashed as a JSON array: its id, and its columns in the order of the phone's schema. The sum does not depend on the
 * order of rows. Sums are kept as two halves of 32 bits, because a double holds only 53.
 *
 * Owns: buckets, rows' hashes, sums. Must not know: the database, the network.
 * Invariant: equal rows have equal digests here and at the server (tests/acceptance/test_drift.py, test/unit/drift.test.ts).
 */
import type { TableSchema } from '@nozbe/watermelondb'

import { sha256 } from './sha256'

/** Rows that a bucket holds on average: what one wrong row costs to repair. */
export const ROWS_OF_A_BUCKET = 32
/** The server's bound. */
export const BUCKETS_MAX = 4096

/** A raw row after sanitizing. */
export type Raw = { id: string; _status: string; _changed: string } & Record<string, unknown>

/** Give the number of buckets for so many rows: rows / 32, rounded up to a power of two. */
export function bucketsFor(rows: number): number {
  let count = 1
  while (count < BUCKETS_MAX && count * ROWS_OF_A_BUCKET < rows) count *= 2
  return count
}

/** Give the bucket of an id: as many of the first bits of its hash as number the buckets. */
export function bucketOf(id: string, count: number): number {
  return Math.floor((((sha256(id)[0] as number) >>> 0) * count) / 2 ** 32)
}

export function canonicalRow(raw: Raw, schema: TableSchema): string {
  return JSON.stringify([raw.id, ...schema.columnArray.map((column) => raw[column.name])])
}

/** The digests of one table, row by row. */
export class Tally {
  rows = 0
  private readonly high: Uint32Array
  private readonly low: Uint32Array

  constructor(
    private readonly schema: TableSchema,
    readonly count: number,
  ) {
    this.high = new Uint32Array(count)
    this.low = new Uint32Array(count)
  }

  add(raw: Raw): void {
    const bucket = bucketOf(raw.id, this.count)
    const hash = sha256(canonicalRow(raw, this.schema))
    const low = (this.low[bucket] as number) + ((hash[1] as number) >>> 0)
    this.low[bucket] = low // a Uint32Array keeps the remainder
    this.high[bucket] = (this.high[bucket] as number) + ((hash[0] as number) >>> 0) + (low >= 2 ** 32 ? 1 : 0)
    this.rows += 1
  }

  /** Give each bucket's sum as 16 hexadecimal digits. */
  digests(): string[] {
    const half = (word: number | undefined) => (word as number).toString(16).padStart(8, '0')
    return Array.from(this.high, (high, bucket) => half(high) + half(this.low[bucket]))
  }
}
