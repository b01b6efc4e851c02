// The pages of the office beside the lists of records: where they are, and for whom.
// Owns: their order.
// Must not know: what they show.
// Invariant: a page's file is loaded when it is first opened, so that the login stays small.

import { html, useEffect, useState } from './vendor.js'
import { Waiting } from './ui.js'

function later(load) {
  return function Later(given) {
    const [Shown, setShown] = useState(null)
    useEffect(() => { load().then((found) => setShown(() => found)) }, [])
    return Shown ? html`<${Shown} ...${given} />` : html`<${Waiting} />`
  }
}

export const PAGES = [
  { path: 'inbox', isFor: ({ maySee }) => maySee('sync_issues'), show: later(() => import('./inbox.js').then((file) => file.default)) }
]
