/**
 * The three-way merge of one record, the twin of the server's `conflict/merge.py`.
 *
 * Base is the record as the phone last saw it, ours the server's, theirs the phone's; always in this order. A column that one
 * side changed is that side's; what both changed differently is decided by the column's policy, or parked for a person.
 * Values are WatermelonDB's own: a bag is a JSON array in a string, written sorted and without doubles; moments are numbers.
 *
 * Owns: the merge, and the types of the exported policies. Must not know: tables, the database, the network.
 * Invariant: for the same inputs the result is the server's, byte for byte (tests/acceptance/test_merge_vectors.py).
 */
import { DECISIONS, byCodePoint, own, review, tidy } from './decisions'

export type Value = string | number | boolean | null
export type Row = Record<string, Value>

export interface Condition {
  readonly column: string
  readonly values: readonly string[]
  readonly unless: boolean
}
export interface TallyPolicy {
  readonly policy: 'tally'
  readonly least: number | null
  /** A number, or the column of the row that has it. */
  readonly most: number | string | null
}
export interface GuardedPolicy {
  readonly policy: 'guarded'
  readonly moves: { readonly [state: string]: readonly string[] }
  readonly order: readonly string[]
  readonly breaks: readonly string[]
}
export interface LockedPolicy {
  readonly policy: 'locked'
  readonly when: Condition
}
export interface SimplePolicy {
  readonly policy: 'theirs' | 'ours' | 'newest' | 'bag' | 'highest' | 'lowest' | 'prose' | 'once' | 'reviewed'
}
/** Who wins a column that two sides changed, as the server exports it. */
export type Policy = SimplePolicy | TallyPolicy | GuardedPolicy | LockedPolicy

/** What is decided about the records of one table. */
export interface TablePolicies {
  readonly columns: { readonly [column: string]: Policy }
  readonly deletion: 'delete_wins' | 'update_wins' | 'park'
  readonly stale_days: number | null
}
export interface Policies {
  readonly version: number
  readonly tables: { readonly [table: string]: TablePolicies }
}

/** When a value was authored: milliseconds since 1970 by the server's clock, and on which device. */
export interface Stamp {
  readonly at: number
  readonly device: string
}
export interface Authored {
  readonly theirs: Stamp
  readonly ours: { readonly [column: string]: Stamp }
}

/** What became of a column that both sides changed; without `base` if nobody knows it. Parked: ours is kept. */
export interface Outcome {
  column: string
  policy: string
  base?: Value
  ours: Value
  theirs: Value
  kept: Value
  parked: string | null
}
export interface Resolution {
  row: Row
  outcomes: Outcome[]
}

const NEVER: Stamp = { at: 0, device: '' }
const UNDATED: Authored = { theirs: NEVER, ours: {} }
const THEIRS: Policy = { policy: 'theirs' }

/** Policies that are asked even if the phone alone changed the column: something may forbid it. */
const FROZEN: ReadonlySet<string> = new Set(['ours', 'once', 'locked', 'reviewed'])

/**
 * Merge what the phone `changed` in `theirs` into `ours`. `base` null, or without a column: what the phone saw is unknown.
 * A column without a policy is the phone's. Outcomes are in the order of their columns.
 */
export function merge(
  base: Row | null,
  ours: Row,
  theirs: Row,
  changed: readonly string[],
  policies: TablePolicies['columns'],
  authored: Authored = UNDATED,
): Resolution {
  const row: Row = { ...ours }
  const outcomes: Outcome[] = []
  for (const column of [...changed].sort(byCodePoint)) {
    const policy = own(policies, column) ?? THEIRS
    const here = tidy(policy, own(ours, column))
    const mine = tidy(policy, own(theirs, column))
    const seen = tidy(policy, base === null ? undefined : own(base, column))
    if (mine === undefined || here === undefined || mine === seen) continue
    // Two who each added ten to a count left the same number, and added twenty.
    if (mine === here && (policy.policy !== 'tally' || seen === undefined)) continue
    const alone = here === seen
    if (alone && !FROZEN.has(policy.policy)) {
      row[column] = mine
      continue
    }
    const decide = own(DECISIONS, policy.policy) ?? review
    const question = { policy, base: seen, ours: here, theirs: mine, row: ours, ourStamp: own(authored.ours, column) ?? NEVER }
    const { kept, parked = null } = decide({ ...question, theirStamp: authored.theirs })
    row[column] = kept
    const outcome = { column, policy: policy.policy, ...(seen === undefined ? {} : { base: seen }) }
    if (!alone || kept !== mine) outcomes.push({ ...outcome, ours: here, theirs: mine, kept, parked })
  }
  return { row, outcomes }
}
