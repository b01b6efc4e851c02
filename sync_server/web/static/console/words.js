// The page's own words, in the language that was chosen.
// Owns: the choice and the look-up. The words are in en.js and hi.js; what entities, fields and states are called comes from
// the server's catalogue.
// Must not know: where a word is used.
// Invariant: both files have the same keys (tests/acceptance/test_console_shell.py).

import en from './en.js'
import hi from './hi.js'

export const LANGUAGES = { en: 'English', hi: 'हिन्दी' }
const WORDS = { en, hi }
let chosen = (navigator.language || 'en').startsWith('hi') ? 'hi' : 'en'

export const language = () => chosen

export function choose(language) {
  chosen = language
  document.documentElement.lang = language
}

/** Say whether there is a text of `key`. */
export const has = (key) => key in WORDS[chosen]

/** Give the text of `key`, its {names} filled in. */
export function t(key, values = {}) {
  return WORDS[chosen][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''))
}

/** Say a problem in plain words: the server's sentence, or ours for what it cannot say. */
export function explain(problem) {
  const key = `problem_${problem.code}`
  if (WORDS[chosen][key]) return t(key)
  const reasons = (problem.said?.reasons || []).map((reason) => reason.sentence)
  return reasons.length ? reasons.join(' ') : problem.message
}
