/**
 * How long to wait after failures: a bound that doubles. How much of it is waited is for whoever waits, and drawn, so that phones
 * that failed together do not come back together.
 *
 * Owns: the bound. Must not know: what failed. Invariant: it never shrinks as failures grow, and ends at `longest`
 * (test/unit/backoff.test.ts).
 */
export interface Backoff {
  /** Milliseconds after the first failure. */
  first: number
  longest: number
}

export function boundOf({ first, longest }: Backoff, failures: number): number {
  return Math.min(longest, first * 2 ** Math.min(failures, 20))
}
