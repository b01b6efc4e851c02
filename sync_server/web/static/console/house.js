// What the page knows of the house: the catalogue, who asks, and what they may do.
// Owns: both, as the server gave them.
// Must not know: how anything is drawn.
// Invariant: what is offered here is a convenience; the server judges every request again.

import { ask, get } from './api.js'
import { language } from './words.js'

let tables = new Map()
let me = null
let codes = new Set()

/** Read the catalogue in the chosen language, and who asks. */
export async function learn() {
  const [catalogue, myself] = await Promise.all([
    ask('GET', `/catalogue?language=${language()}`),
    get('/me')
  ])
  tables = new Map(catalogue.body.tables.map((table) => [table.table, prepared(table)]))
  me = myself
  codes = new Set(['own', ...Object.values(me.holds).flat()])
}

function prepared(table) {
  return { ...table, by: new Map(table.fields.map((field) => [field.name, field])) }
}

export const tableOf = (name) => tables.get(name)
export const allTables = () => [...tables.values()]
export const myself = () => me

/** Say whether one of `needed` is held somewhere. */
export const may = (...needed) => needed.some((code) => codes.has(code))
export const mayDo = (table, what) => may(...tableOf(table).needs[what])
export const maySee = (table) => tables.has(table) && mayDo(table, 'read')
