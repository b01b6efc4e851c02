/**
 * Runs merge vectors from standard input through the phone's engine: `node run.mjs <compiled sdk>/src [planted bug]`.
 *
 * Prints how many agreed; the first that does not is printed whole, and the exit is 1. Both sides are compared as JSON with
 * sorted keys. A planted bug replaces one decision by a likely mistake: the vectors must find each of them.
 */
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const [folder, planted] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const { merge } = require(`${folder}/merge.js`)
const { DECISIONS, wordsIn } = require(`${folder}/decisions.js`)
const right = { ...DECISIONS }

const kept = (value) => ({ kept: value })
const PLANTED = {
  'theirs keeps ours': { theirs: ({ ours }) => kept(ours) },
  'ours keeps theirs': { ours: ({ theirs }) => kept(theirs) },
  'newest forgets the device': { newest: ({ ours, theirs, ourStamp, theirStamp }) => kept(ourStamp.at > theirStamp.at ? ours : theirs) },
  'newest orders devices by UTF-16 unit': {
    newest: ({ ours, theirs, ourStamp: a, theirStamp: b }) => kept((a.at === b.at ? a.device > b.device : a.at > b.at) ? ours : theirs),
  },
  'tally adds binary fractions': {
    tally: (question) => {
      const { kept: _, parked } = right.tally(question)
      return parked ? right.tally(question) : kept((question.ours ?? 0) + (question.theirs ?? 0) - (question.base ?? 0))
    },
  },
  'tally takes two equal changes for one': { tally: (q) => (q.ours === q.theirs ? kept(q.ours) : right.tally(q)) },
  'tally has no bound in the row': { tally: (q) => right.tally({ ...q, row: {} }) },
  'bag is sorted by UTF-16 unit': {
    bag: (q) => kept(JSON.stringify([...wordsIn(right.bag(q).kept)].sort())),
  },
  'bag forgets what was taken out': { bag: (q) => right.bag({ ...q, base: undefined }) },
  'highest is by UTF-16 unit': { highest: ({ ours, theirs }) => kept(ours === null || (theirs !== null && theirs > ours) ? theirs : ours) },
  'lowest takes none for the least': { lowest: (q) => (q.ours === null || q.theirs === null ? kept(null) : right.lowest(q)) },
  'prose takes any blank for a blank': {
    prose: (q) => {
      const wide = (text) => (typeof text === 'string' ? text.replaceAll('\u00a0', ' ') : text)
      return right.prose({ ...q, base: wide(q.base), ours: wide(q.ours), theirs: wide(q.theirs) })
    },
  },
  'prose keeps an empty text': {
    prose: (q) => {
      const found = right.prose(q)
      return { ...found, kept: found.kept ?? '' }
    },
  },
  'guarded forgets breaks': { guarded: (q) => right.guarded({ ...q, policy: { ...q.policy, breaks: [] } }) },
  'guarded orders by name': { guarded: (q) => right.guarded({ ...q, policy: { ...q.policy, order: [...q.policy.order].sort() } }) },
  'once is overwritten': { once: ({ theirs }) => kept(theirs) },
  'locked forgets unless': {
    locked: (q) => right.locked({ ...q, policy: { ...q.policy, when: { ...q.policy.when, unless: false } } }),
  },
  'reviewed decides': { reviewed: ({ theirs }) => kept(theirs) },
}
if (planted === '--list') {
  console.log(JSON.stringify(Object.keys(PLANTED)))
  process.exit(0)
}
if (planted !== undefined) Object.assign(DECISIONS, PLANTED[planted] ?? process.exit(2))

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const pairs = Object.keys(value).sort().filter((key) => value[key] !== undefined)
  return `{${pairs.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`
}

let policies = {}
let agreed = 0
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const vector = JSON.parse(line)
  if (vector.policies) {
    policies = vector.policies
    continue
  }
  const { base, ours, theirs, changed, authored, expected } = vector
  const found = canonical(merge(base, ours, theirs, changed, policies, authored))
  if (found !== canonical(expected)) {
    console.log(`After ${agreed} that agree:\npolicies ${JSON.stringify(policies)}\nvector   ${line}\nphone    ${found}`)
    process.exit(1)
  }
  agreed += 1
}
console.log(JSON.stringify({ agreed }))
