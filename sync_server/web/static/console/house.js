// What the page knows of the house: the catalogue, the commands of the trade, who asks, and what they may do.
// Owns: all of them, as the server gave them.
// Must not know: how anything is drawn.
// Invariant: what is offered here is a convenience; the server judges every request again.

import { ask, get } from './api.js'
import { language } from './words.js'

let tables = new Map()
let commands = []
let me = null
let codes = new Set()

/** Read the catalogue in the chosen language, and who asks. */
export async function learn() {
  const [catalogue, myself, steps] = await Promise.all([
    ask('GET', `/catalogue?language=${language()}`),
    get('/me'),
    get('/commands')
  ])
  commands = steps.commands
  tables = new Map(catalogue.body.tables.map((table) => [table.table, prepared(table)]))
  me = myself
  codes = new Set(['own', ...Object.values(me.holds).flat()])
}

function prepared(table) {
  return { ...table, by: new Map(table.fields.map((field) => [field.name, field])) }
}

/** The commands that begin with a record of `table`, those that make further records last. */
export const commandsOf = (table) => commands.filter((command) => command.table === table)

/** The field that a parameter of a command stands for: of one of `near`, else of any table that has it, else as it is told. */
export function fieldOf(parameter, near) {
  const close = near.map((name) => tables.get(name)).filter(Boolean)
  const table = [...close, ...tables.values()].find(({ by }) => by.has(parameter.name))
  const type = { boolean: 'flag', number: 'number' }[parameter.type] || 'text'
  const told = { name: parameter.name, title: parameter.name.replaceAll('_', ' '), type, json: parameter.type }
  return table ? table.by.get(parameter.name) : told
}

export const tableOf = (name) => tables.get(name)
export const allTables = () => [...tables.values()]
export const myself = () => me

/** Say whether one of `needed` is held somewhere. */
export const may = (...needed) => needed.some((code) => codes.has(code))
export const mayDo = (table, what) => may(...tableOf(table).needs[what])
export const maySee = (table) => tables.has(table) && mayDo(table, 'read')
