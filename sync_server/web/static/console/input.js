// An input for a field of any type.
// Owns: which control fits which type.
// Must not know: records.
// Invariant: every input has a label that a screen reader says, and gives what values.js reads.

import { listOf, nameOf } from './names.js'
import { html, useEffect, useState } from './vendor.js'
import { t } from './words.js'

export function Input({ field, value, set }) {
  const needed = field.required && field.type !== 'flag' && field.type !== 'words'
  const label = html`${field.title}${field.unit && html` <small>${field.unit}</small>`}${needed &&
    html` <small class="needed">${t('required')}</small>`}`
  if (field.type === 'words' && field.words) return html`<${Boxes} field=${field} value=${value} set=${set} label=${label} />`
  if (field.type === 'flag') {
    return html`<label class="flag"><input type="checkbox" checked=${value}
      onChange=${(event) => set(event.target.checked)} /> ${label}</label>`
  }
  const write = (event) => set(event.target.value)
  const given = { name: field.name, value, required: needed, onInput: write }
  return html`<label class=${isLong(field) ? 'long' : ''}>${label}<${Control} field=${field} given=${given} /></label>`
}

const isLong = (field) => field.longest > 200 || field.type === 'document'

function Control({ field, given }) {
  switch (field.type) {
    case 'choice': return html`<${Choice} field=${field} given=${given} />`
    case 'reference': return html`<${Reference} field=${field} given=${given} />`
    case 'day': return html`<input type="date" ...${given} />`
    case 'instant': return html`<input type="datetime-local" ...${given} />`
    case 'integer': case 'number': return html`<input inputmode="decimal" ...${given} />`
  }
  return isLong(field)
    ? html`<textarea rows="3" maxlength=${field.longest} ...${given}></textarea>`
    : html`<input maxlength=${field.longest} placeholder=${field.example || ''} ...${given} />`
}

function Choice({ field, given: { value, onInput, ...given } }) {
  return html`<select ...${given} value=${value} onChange=${onInput}>
    <option value="">${t('choose')}</option>
    ${field.words.map(({ word, title }) => html`<option value=${word} selected=${word === value}>${title}</option>`)}
  </select>`
}

function Reference({ field, given: { value, onInput, ...given } }) {
  const [records, setRecords] = useState([])
  useEffect(() => {
    let here = true
    listOf(field.to).then((found) => here && setRecords(found), () => {})
    return () => { here = false }
  }, [field.to])
  const isListed = !value || records.some((record) => record.id === value)
  return html`<select ...${given} value=${value} onChange=${onInput}>
    <option value="">${t('choose')}</option>
    ${!isListed && html`<option value=${value} selected>${value}</option>`}
    ${records.map((record) =>
      html`<option value=${record.id} selected=${record.id === value}>${nameOf(field.to, record)}</option>`)}
  </select>`
}

function Boxes({ field, value, set, label }) {
  const flip = (word) => set(value.includes(word) ? value.filter((each) => each !== word) : [...value, word].sort())
  const chosen = Array.isArray(value) ? value : []
  return html`<fieldset><legend>${label}</legend>${field.words.map(({ word, title }) =>
    html`<label class="flag"><input type="checkbox" checked=${chosen.includes(word)} onChange=${() => flip(word)} />
      ${title}</label>`)}</fieldset>`
}
