// Values: as they cross the wire, as they are shown, and as a person types them.
// Owns: these three forms of every type of the catalogue.
// Must not know: any one field.
// Invariant: what was shown in a form and not touched is not sent.

import { Problem } from './api.js'
import { language, t } from './words.js'

const locale = () => (language() === 'hi' ? 'hi-IN-u-nu-latn' : 'en-IN')

export const wordTitle = (field, word) => field.words?.find((each) => each.word === word)?.title ?? word

export function moment(at) {
  return at ? new Date(at).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'short' }) : ''
}

export function number(value, places = 0) {
  return value.toLocaleString(locale(), { maximumFractionDigits: places })
}

/** Say how long ago a moment was, in words. */
export function ago(at) {
  const seconds = Math.round((at - Date.now()) / 1000)
  const units = [['day', 86400], ['hour', 3600], ['minute', 60]]
  const [unit, size] = units.find(([, each]) => Math.abs(seconds) >= each) || ['second', 1]
  return new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }).format(Math.trunc(seconds / size), unit)
}

/** Show a value as text; references are shown by names.js. */
export function shown(field, value) {
  if (value === null || value === undefined || value === '') return ''
  switch (field.type) {
    case 'choice': return wordTitle(field, value)
    case 'flag': return value ? t('yes') : t('no')
    case 'instant': return moment(value)
    case 'words': return JSON.parse(value).map((word) => wordTitle(field, word)).join(', ')
    case 'integer': case 'number': return shownNumber(field, Number(value))
    default: return String(value)
  }
}

const shownNumber = (field, value) => number(value, field.places) + (field.unit ? ` ${field.unit}` : '')

/** Give what an input begins with. */
export function typed(field, value) {
  if (value === null || value === undefined) return field.type === 'flag' ? false : ''
  if (field.type === 'instant') return local(value)
  if (field.type === 'words') return field.words ? JSON.parse(value || '[]') : JSON.parse(value || '[]').join(', ')
  return field.type === 'flag' ? Boolean(value) : String(value)
}

function local(at) {
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60000)
  return date.toISOString().slice(0, 16)
}

/** Read what was typed; raises Problem. */
export function read(field, text) {
  if (field.type === 'flag') return text
  if (field.type === 'words') {
    const words = Array.isArray(text) ? text : text.split(',').map((word) => word.trim()).filter(Boolean)
    return JSON.stringify(words)
  }
  if (text === '') return null
  if (field.type === 'instant') return new Date(text).getTime()
  if (field.type === 'document') return document(text)
  return field.json === 'number' ? asNumber(text) : text
}

function asNumber(text) {
  const value = Number(text.replaceAll(',', ''))
  if (Number.isNaN(value)) throw new Problem(0, { code: 'bad_number' })
  return value
}

function document(text) {
  try {
    JSON.parse(text)
    return text
  } catch {
    throw new Problem(0, { code: 'bad_document' })
  }
}

/** Say whether a field is fixed in a record. */
export function isFixed(field, record) {
  const when = field.fixed_when
  return Boolean(when) && when.words.includes(record[when.field]) !== when.unless
}
