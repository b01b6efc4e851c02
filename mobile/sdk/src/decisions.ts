/**
 * Who wins a column that two sides changed: one decision for each policy, the twin of the server's `conflict/policies.py`.
 *
 * A decision sees the three values, what the policy is declared with, the server's row, and when each side wrote its value. It
 * gives the value to keep, or parks the change: then a person decides. Nothing here throws, whatever the values are: it runs
 * inside WatermelonDB's sync, where an error would stop every sync after it.
 *
 * Owns: the decisions, the way a bag is written, and the order of texts. Must not know: columns' names, tables, clocks.
 * Invariant: what the server decides is decided here (tests/acceptance/test_merge_vectors.py).
 */
import type { GuardedPolicy, LockedPolicy, Condition, Policy, Row, Stamp, TallyPolicy, Value } from './merge'
import { join } from './prose'

/** What a decision may look at; `base` undefined: nobody knows it. `row`: the server's. */
export interface Question {
  policy: Policy
  base: Value | undefined
  ours: Value
  theirs: Value
  row: Row
  ourStamp: Stamp
  theirStamp: Stamp
}
export interface Decision {
  kept: Value
  parked?: string
}
export type Decide = (question: Question) => Decision

/** One decision for each policy. */
export const DECISIONS: Record<Policy['policy'], Decide> = {
  theirs: ({ theirs }) => ({ kept: theirs }),
  ours: ({ ours }) => ({ kept: ours }),
  newest: ({ ours, theirs, ourStamp, theirStamp }) => ({ kept: later(ourStamp, theirStamp) ? ours : theirs }),
  tally,
  bag: ({ base, ours, theirs }) => ({ kept: mergeBags(wordsIn(base), wordsIn(ours), wordsIn(theirs)) }),
  highest: ({ ours, theirs }) => ({ kept: filled(ours, theirs) ?? (isLess(ours, theirs) ? theirs : ours) }),
  lowest: ({ ours, theirs }) => ({ kept: filled(ours, theirs) ?? (isLess(ours, theirs) ? ours : theirs) }),
  prose,
  guarded,
  once: ({ ours, theirs }) => (ours === null ? { kept: theirs } : { kept: ours, parked: 'set_once' }),
  locked: ({ policy, ours, theirs, row }) =>
    holds((policy as LockedPolicy).when, row) ? { kept: ours, parked: 'locked' } : { kept: theirs },
  reviewed: review,
}

export function review({ ours }: Question): Decision {
  return { kept: ours, parked: 'needs_review' }
}

function later(left: Stamp, right: Stamp): boolean {
  return left.at !== right.at ? left.at > right.at : byCodePoint(left.device, right.device) > 0
}

function tally({ policy, base, ours, theirs, row }: Question): Decision {
  if (base === undefined) return { kept: ours, parked: 'base_unknown' }
  const { least, most } = policy as TallyPolicy
  const total = addUp(ours, theirs, base)
  const bound = typeof most === 'string' ? own(row, most) : most
  const tooMuch = typeof bound === 'number' && total > bound
  if ((least !== null && total < least) || tooMuch) return { kept: ours, parked: 'out_of_bounds' }
  return { kept: total }
}

/** ours + theirs - base, in whole steps of the finest of the three, so that decimals show no dust of binary fractions. */
export function addUp(ours: Value, theirs: Value, base: Value): number {
  const terms = [ours, theirs, base].map((term) => Number(term ?? 0))
  const places = Math.max(...terms.map(placesOf))
  const step = 10 ** places
  const [here, mine, seen] = terms.map((term) => Math.round(term * step)) as [number, number, number]
  return (here + mine - seen) / step
}

function placesOf(number: number): number {
  const [digits = '', exponent = '0'] = String(number).split('e')
  return Math.max(0, (digits.split('.')[1] ?? '').length - Number(exponent))
}

function prose({ base, ours, theirs }: Question): Decision {
  if (base === undefined) return { kept: ours, parked: 'base_unknown' }
  const merged = join(String(base ?? ''), String(ours ?? ''), String(theirs ?? ''))
  return merged === null ? { kept: ours, parked: 'overlapping_edits' } : { kept: merged || null }
}

function guarded({ policy, base, ours, theirs }: Question): Decision {
  if (base === undefined) return { kept: ours, parked: 'base_unknown' }
  if (ours === null || theirs === null) return { kept: ours ?? theirs }
  const { moves, order, breaks } = policy as GuardedPolicy
  const [here, mine] = [String(ours), String(theirs)]
  const apart = { kept: ours, parked: 'no_common_state' }
  if (breaks.includes(here) !== breaks.includes(mine)) return apart
  const onwards = reaches(moves, here, mine)
  const back = reaches(moves, mine, here)
  if (onwards && back) return { kept: order.indexOf(mine) > order.indexOf(here) ? theirs : ours }
  if (onwards || back) return { kept: onwards ? theirs : ours }
  return apart
}

function reaches(moves: GuardedPolicy['moves'], start: string, goal: string): boolean {
  const seen = new Set([start])
  for (const state of seen) for (const following of own(moves, state) ?? []) seen.add(following)
  return seen.has(goal) && own(moves, start) !== undefined && own(moves, goal) !== undefined
}

function holds(when: Condition, row: Row): boolean {
  const said = own(row, when.column)
  return (typeof said === 'string' && when.values.includes(said)) !== when.unless
}

/** Of two values of which one is empty, give the other; undefined if neither is. Any value counts more than none. */
function filled(ours: Value, theirs: Value): Value | undefined {
  if (ours === null) return theirs
  return theirs === null ? ours : undefined
}

function isLess(left: Value, right: Value): boolean {
  if (typeof left === 'string' && typeof right === 'string') return byCodePoint(left, right) < 0
  return (left as number) < (right as number)
}

// --- Bags -------------------------------------------------------------------------------------------------------------

function mergeBags(base: Set<string>, ours: Set<string>, theirs: Set<string>): string {
  const kept = [...ours].filter((word) => theirs.has(word) || !base.has(word))
  const added = [...theirs].filter((word) => !ours.has(word) && !base.has(word))
  return writeBag([...kept, ...added])
}

/** Read a bag; what is not a JSON array, and what in it is not a word, counts as not there: the resolver must not throw. */
export function wordsIn(value: Value | undefined): Set<string> {
  if (typeof value !== 'string' || value === '') return new Set()
  let found: unknown
  try {
    found = JSON.parse(value)
  } catch {
    return new Set() // not written by this SDK or the server; the server will say what is wrong with it
  }
  return new Set(Array.isArray(found) ? found.filter((word): word is string => typeof word === 'string') : [])
}

/** Write a bag as the server writes it: sorted by code point, without doubles. */
export function writeBag(words: Iterable<string>): string {
  return JSON.stringify([...new Set(words)].sort(byCodePoint))
}

/** Write a column's value as the server would: of a bag, its words may stand in any order. */
export function tidy(policy: Policy, value: Value | undefined): Value | undefined {
  return policy.policy === 'bag' && typeof value === 'string' ? writeBag(wordsIn(value)) : value
}

// --- Order and look-up ------------------------------------------------------------------------------------------------

/** Order texts as the server does: by code point, where JavaScript's own order puts U+1F33E before U+FF21. */
export function byCodePoint(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let n = 0; n < length; n += 1) {
    const a = left.charCodeAt(n)
    const b = right.charCodeAt(n)
    if (a !== b) return rank(a) - rank(b)
  }
  return left.length - right.length
}

/** Surrogates stand for code points above all others: move them past U+FFFF. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit
}

/** A property of the object itself: a column or a state may be called `constructor`. */
export function own<T>(object: { readonly [key: string]: T }, key: string): T | undefined {
  return Object.prototype.hasOwnProperty.call(object, key) ? object[key] : undefined
}
