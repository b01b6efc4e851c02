// Names: what a record is called that another one refers to.
// Owns: what was looked up, until the language or the person changes.
// Must not know: where a name is shown.
// Invariant: a table is read once, a record that its first pages lack once more; no request per row.

import { all, get } from './api.js'
import { maySee, tableOf } from './house.js'
import { useEffect, useState } from './vendor.js'

const MOST = 400
let known = new Map()
let listed = new Map()

export function forgetNames() {
  known = new Map()
  listed = new Map()
}

export function nameOf(table, record) {
  const named = tableOf(table)?.named_by
  return (named && record[named]) || record.id
}

/** Give the first records of a table, for a list to choose from; read once. */
export function listOf(table) {
  if (!maySee(table)) return Promise.resolve([])
  if (!listed.has(table)) {
    const reading = all(table, '', MOST)
    listed.set(table, reading)
    reading.then(
      (records) => records.forEach((record) => known.set(`${table}/${record.id}`, nameOf(table, record))),
      () => listed.delete(table)
    )
  }
  return listed.get(table)
}

export async function lookUp(table, id) {
  const key = `${table}/${id}`
  if (!known.has(key) && maySee(table)) {
    await listOf(table)
    if (!known.has(key)) {
      known.set(key, id)
      known.set(key, nameOf(table, await get(`/${table}/${encodeURIComponent(id)}`)))
    }
  }
  return known.get(key) || id
}

/** The name of a record, its id until it is known. */
export function Name({ table, id }) {
  const [name, setName] = useState(known.get(`${table}/${id}`) || id)
  useEffect(() => {
    let here = true
    if (id) lookUp(table, id).then((found) => here && setName(found), () => here && setName(id))
    return () => { here = false }
  }, [table, id])
  return name
}
