// A list of records of any table.
// Owns: which columns a list shows, searching, filtering by state, and going on to the next page.
// Must not know: any one table.
// Invariant: every record that the person may see can be reached from here.

import { get } from './api.js'
import { mayDo, tableOf } from './house.js'
import { useLive } from './live.js'
import { nameOf } from './names.js'
import { Grid, Heading, Trouble, Value, Waiting } from './ui.js'
import { html, useState } from './vendor.js'
import { t } from './words.js'

const WIDE = 7
const PAGE = 50
const LATER = new Set(['created_at', 'created_by', 'updated_by', 'org_id'])

/** Choose the columns of a list: what names it, its states, what must be given, then the rest, without pages of text. */
export function columnsOf(table) {
  const { fields, named_by: named, machines } = tableOf(table)
  const weight = (field) =>
    field.name === named ? 0 : field.name in machines ? 1 : field.required && !field.derived ? 2 : field.derived ? 4 : 3
  const fit = fields.filter((field) =>
    !LATER.has(field.name) && field.type !== 'document' && !(field.longest > 200) && field.name !== 'updated_at')
  const chosen = fit.map((field, n) => [weight(field), n, field]).sort((a, b) => a[0] - b[0] || a[1] - b[1])
  return chosen.slice(0, WIDE).map(([, , field]) => field)
}

/** Columns of a Grid for fields; the first names the record. */
export function gridColumns(table, fields) {
  const named = tableOf(table).named_by
  const cells = fields.filter((field) => field.name !== named).map((field) => ({
    title: field.title,
    number: field.type === 'integer' || field.type === 'number',
    cell: (record) => html`<${Value} field=${field} value=${record[field.name]} />`
  }))
  const title = named ? tableOf(table).by.get(named).title : t('id')
  return [{ title, cell: (record) => nameOf(table, record) }, ...cells]
}

export const linkTo = (table) => (record) => `#/records/${table}/${encodeURIComponent(record.id)}`

async function readPages(path, pages) {
  const records = []
  let next = ''
  for (let n = 0; n < pages && next !== null; n++) {
    const page = await get(path + (next && `&after=${encodeURIComponent(next)}`))
    records.push(...page.records)
    next = page.next
  }
  return { records, more: next !== null }
}

export function List({ table }) {
  const about = tableOf(table)
  const [words, setWords] = useState('')
  const [state, setState] = useState('')
  const [pages, setPages] = useState(1)
  const query = `${words ? `&q=${encodeURIComponent(words)}` : ''}${state ? `&${about?.state}=${state}` : ''}`
  const [page, problem] = useLive(() => readPages(`/${table}?limit=${PAGE}${query}`, pages), [table, query, pages])
  if (!about) return html`<p class="quiet">${t('nothing')}</p>`

  const search = (event) => {
    event.preventDefault()
    setPages(1)
    setWords(new FormData(event.target).get('q').trim())
  }
  return html`
    <div class="row"><${Heading}>${about.title}<//><span class="grow"></span>
      ${mayDo(table, 'create') && html`<a class="button" href=${`#/records/${table}/new`}>${t('new')}</a>`}</div>
    <form class="row tools" role="search" onSubmit=${search}>
      <label>${t('search')}<input name="q" type="search" placeholder=${t('search_hint')} /></label>
      ${about.state && html`<${StateFilter} field=${about.by.get(about.state)} value=${state} set=${setState} />`}
      <button type="submit" class="plain">${t('search')}</button>
      <span class="grow"></span>
      <span class="quiet" role="status">${page &&
        t(page.more ? 'count_more' : 'count', { n: page.records.length })}</span>
    </form>
    <${Trouble} problem=${problem} />
    ${!page && !problem && html`<${Waiting} />`}
    ${page && html`<${Grid} caption=${about.title} columns=${gridColumns(table, columnsOf(table))} rows=${page.records}
      open=${linkTo(table)} />`}
    ${page?.more && html`<button type="button" class="plain" onClick=${() => setPages(pages + 1)}>${t('more')}</button>`}`
}

function StateFilter({ field, value, set }) {
  return html`<label>${field.title}
    <select value=${value} onChange=${(event) => set(event.target.value)}>
      <option value="">${t('all')}</option>
      ${field.words.map(({ word, title }) => html`<option value=${word}>${title}</option>`)}
    </select></label>`
}
