/**
 * Prose: the three-way merge of a text by words, the twin of the server's `conflict/prose.py`.
 *
 * Each side is compared with the base, word by word. Stretches of the base that one side replaced are taken; stretches of the
 * two sides that touch or overlap are one stretch, and if the sides wrote different things there, nobody but a person can say
 * what was meant. Words are what stands between blanks, and blanks (space, tab, line break, nothing else) are words, too.
 *
 * Owns: words, their comparison, and the merge. Must not know: columns, records.
 * Invariant: every text that the server's engine gives is given here (tests/acceptance/test_merge_vectors.py).
 */

/** Words that one side may have taken out or put in; a text that changed more was written anew. The server's bound. */
export const EDITS_MAX = 300

/** Words [start, end) of the base, and what stands in their place. */
interface Stretch {
  start: number
  end: number
  words: string[]
}

type Pair = [was: number, now: number]

function wordsOf(text: string): string[] {
  return text.match(/[ \t\r\n]+|[^ \t\r\n]+/g) ?? []
}

/**
 * Give the text with the changes of both sides; null if they overlap, or a side changed more than `EDITS_MAX` words.
 * Cost: O((words + edits) * edits) of each side.
 */
export function join(base: string, ours: string, theirs: string): string | null {
  const was = wordsOf(base)
  const left = stretches(was, wordsOf(ours))
  const right = stretches(was, wordsOf(theirs))
  if (left === null || right === null) return null
  const merged: string[] = []
  let done = 0
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    const grown = grow(left, i, right, j)
    const sides = [left.slice(i, grown.i), right.slice(j, grown.j)].filter((side) => side.length > 0)
    const written = sides.map((side) => writtenBy(was, side, grown.start, grown.end))
    const first = written[0] as string[]
    if (written.length > 1 && !same(first, written[1] as string[])) return null
    merged.push(...was.slice(done, grown.start), ...first)
    done = grown.end
    i = grown.i
    j = grown.j
  }
  return [...merged, ...was.slice(done)].join('')
}

/** Take the stretch that begins first, and let it grow until nothing of either side touches it any more. */
function grow(left: Stretch[], i: number, right: Stretch[], j: number): { start: number; end: number; i: number; j: number } {
  const start = Math.min(left[i]?.start ?? Infinity, right[j]?.start ?? Infinity)
  let end = start
  for (;;) {
    const mine = left[i]
    const other = right[j]
    if (mine && mine.start <= end) {
      end = Math.max(end, mine.end)
      i += 1
    } else if (other && other.start <= end) {
      end = Math.max(end, other.end)
      j += 1
    } else {
      return { start, end, i, j }
    }
  }
}

/** Say what one side has in the place of the base's words [start, end). */
function writtenBy(was: string[], side: Stretch[], start: number, end: number): string[] {
  const words: string[] = []
  let at = start
  for (const stretch of side) {
    words.push(...was.slice(at, stretch.start), ...stretch.words)
    at = stretch.end
  }
  words.push(...was.slice(at, end))
  return words
}

function same(left: string[], right: string[]): boolean {
  return left.length === right.length && left.every((word, n) => word === right[n])
}

/** Say which stretches of `was` were replaced by what; in order, apart by at least one word that stayed. */
function stretches(was: string[], now: string[]): Stretch[] | null {
  const most = Math.min(was.length, now.length)
  let head = 0
  while (head < most && was[head] === now[head]) head += 1
  let tail = 0
  while (tail < most - head && was[was.length - 1 - tail] === now[now.length - 1 - tail]) tail += 1
  const kept = keptWords(was.slice(head, was.length - tail), now.slice(head, now.length - tail))
  if (kept === null) return null
  const found: Stretch[] = []
  let at = head
  let to = head
  for (const [i, j] of [...kept, [was.length - tail - head, now.length - tail - head] as Pair]) {
    if (head + i > at || head + j > to) found.push({ start: at, end: head + i, words: now.slice(to, head + j) })
    at = head + i + 1
    to = head + j + 1
  }
  return found
}

/**
 * Pair the words that stayed, in order; null if too many differ. Greedy, after Myers (1986).
 * `reach.get(k)`: how far in `was` one comes on the diagonal k = place in `was` - place in `now` with so many edits.
 */
function keptWords(was: string[], now: string[]): Pair[] | null {
  if (was.length === 0 || now.length === 0) return was.length + now.length <= EDITS_MAX ? [] : null
  const reach = new Map<number, number>([[1, 0]])
  const trail: Map<number, number>[] = []
  const most = Math.min(EDITS_MAX, was.length + now.length)
  for (let edits = 0; edits <= most; edits += 1) {
    trail.push(new Map(reach))
    for (let k = -edits; k <= edits; k += 2) {
      let i = putsIn(reach, k, edits) ? at(reach, k + 1) : at(reach, k - 1) + 1
      while (i < was.length && i - k < now.length && was[i] === now[i - k]) i += 1
      reach.set(k, i)
      if (i >= was.length && i - k >= now.length) return walkBack(trail, was.length, now.length)
    }
  }
  return null
}

function at(reach: Map<number, number>, k: number): number {
  return reach.get(k) as number
}

function putsIn(reach: Map<number, number>, k: number, edits: number): boolean {
  return k === -edits || (k !== edits && at(reach, k - 1) < at(reach, k + 1))
}

/** Follow the way back from the end; `trail[n]` is how far one came with fewer than n edits. */
function walkBack(trail: Map<number, number>[], i: number, j: number): Pair[] {
  const kept: Pair[] = []
  for (let edits = trail.length - 1; edits >= 0; edits -= 1) {
    const reach = trail[edits] as Map<number, number>
    const k = i - j
    const above = putsIn(reach, k, edits) ? k + 1 : k - 1
    const fromI = at(reach, above)
    const fromJ = fromI - above
    while (i > fromI && j > fromJ) {
      i -= 1
      j -= 1
      kept.push([i, j])
    }
    i = fromI
    j = fromJ
  }
  return kept.reverse()
}
