// Small pieces that every page is made of.
// Owns: how a problem, a notice, a value, a button that asks twice and a table look and behave.
// Must not know: any entity.
// Invariant: what changes without a click is told to screen readers; nothing is done at the first click that cannot be undone.

import { Name } from './names.js'
import { shown, wordTitle } from './values.js'
import { html, useEffect, useRef, useState } from './vendor.js'
import { explain, t } from './words.js'

export const Trouble = ({ problem }) =>
  problem && html`<p class="trouble" role="alert">${explain(problem)}
    ${problem.said?.correlation_id && html` <small>(${problem.said.correlation_id})</small>`}</p>`

export const Notice = ({ text }) => html`<p class="notice" role="status">${text}</p>`
export const Waiting = () => html`<p class="quiet" role="status">${t('loading')}</p>`

/** A heading that takes the focus when its page appears, so that a keyboard goes on from there. */
export function Heading({ children }) {
  const here = useRef(null)
  useEffect(() => here.current?.focus(), [])
  return html`<h1 tabindex="-1" ref=${here}>${children}</h1>`
}

/** A button that does what cannot be undone: it asks once more in its own place. */
export function Careful({ label, sure, act, disabled }) {
  const [asked, setAsked] = useState(false)
  const click = () => {
    if (asked) act()
    setAsked(!asked)
  }
  return html`<button type="button" class=${asked ? 'danger' : 'plain'} disabled=${disabled} onClick=${click}
    onBlur=${() => setAsked(false)}>${asked ? sure : label}</button>`
}

export function Value({ field, value }) {
  if (value === null || value === undefined || value === '') return null
  if (field.type === 'reference') return html`<${Name} table=${field.to} id=${value} />`
  if (field.type === 'choice' && /state$/.test(field.name)) return html`<${State} field=${field} word=${value} />`
  return shown(field, value)
}

export const State = ({ field, word }) =>
  html`<span class=${`state state-${tone(word)}`}>${wordTitle(field, word)}</span>`

const TONES = {
  good: ['approved', 'verified', 'active', 'confirmed', 'accepted', 'completed', 'delivered', 'live', 'matched', 'paid'],
  warn: ['draft', 'submitted', 'pending', 'planned', 'scheduled', 'open', 'partly_sold', 'loading', 'in_transit', 'wiping'],
  bad: ['rejected', 'suspended', 'cancelled', 'disputed', 'expired', 'inactive', 'short_closed', 'revoked', 'wiped']
}
const tone = (word) => Object.keys(TONES).find((name) => TONES[name].includes(word)) || 'plain'

/** A table of rows; `columns`: [{title, cell(row), number?}], `open(row)`: where a row leads. */
export function Grid({ caption, columns, rows, open, empty }) {
  if (!rows.length) return html`<p class="quiet">${empty || t('nothing')}</p>`
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class="hidden">${caption}</caption>
      <thead><tr>${columns.map((column) =>
        html`<th scope="col" class=${column.number ? 'number' : ''} title=${column.hint}>${column.title}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.id}>${columns.map((column, n) =>
        html`<td class=${column.number ? 'number' : ''}>${n === 0 && open
          ? html`<a href=${open(row)}>${column.cell(row)}</a>` : column.cell(row)}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`
}

/** Do something, and keep its problem or its notice. Gives [run, problem, notice, busy]. */
export function useDoing() {
  const [state, setState] = useState({ problem: null, notice: '', busy: false })
  const run = async (work, notice = '') => {
    setState({ problem: null, notice: '', busy: true })
    try {
      const done = await work()
      setState({ problem: null, notice, busy: false })
      return done
    } catch (problem) {
      setState({ problem, notice: '', busy: false })
      return null
    }
  }
  return [run, state.problem, state.notice, state.busy]
}
