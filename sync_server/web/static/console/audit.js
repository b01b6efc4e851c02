// The audit trail: who changed what, when and from where.
// Owns: the filters, and how a change is written.
// Must not know: any one table; titles come from the catalogue.
// Invariant: a filter that is empty is not sent, so that what is shown is everything that it does not exclude.

import { get } from './api.js'
import { allTables, maySee, tableOf } from './house.js'
import { useLive } from './live.js'
import { Name } from './names.js'
import { Grid, Heading, Trouble, Value, Waiting } from './ui.js'
import { moment } from './values.js'
import { html, useState } from './vendor.js'
import { t } from './words.js'

async function readTrail(query, pages) {
  const events = []
  let next = ''
  for (let n = 0; n < pages && next !== null; n++) {
    const page = await get(`/audit?limit=50${query}${next && `&after=${encodeURIComponent(next)}`}`)
    events.push(...page.events)
    next = page.next
  }
  return { events, more: next !== null }
}

export default function Audit() {
  const [query, setQuery] = useState('')
  const [pages, setPages] = useState(1)
  const [trail, problem] = useLive(() => readTrail(query, pages), [query, pages])
  const search = (event) => {
    event.preventDefault()
    const asked = [...new FormData(event.target)].filter(([, value]) => value)
    const inMs = ([name, value]) => [name, name === 'since' || name === 'until' ? new Date(value).getTime() : value]
    setPages(1)
    setQuery(asked.map(inMs).map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join(''))
  }
  const columns = [
    { title: t('when'), cell: (event) => moment(event.at) },
    { title: t('who'), cell: (event) => event.by && html`<${Name} table="users" id=${event.by} />` },
    { title: t('channel'), cell: (event) => event.channel },
    { title: t('kind'), cell: (event) => t(`op_${event.operation}`) },
    { title: t('record'), cell: (event) => html`<${About} event=${event} />` },
    { title: t('changes'), cell: (event) => html`<${Changes} event=${event} />` }
  ]
  const rows = (trail?.events || []).map((event) => ({ ...event, record: event.id, id: event.position }))
  return html`<${Heading}>${t('audit')}<//>
    <form class="row tools" role="search" onSubmit=${search}>
      <label>${t('table')}<select name="table"><option value="">${t('all')}</option>${allTables().map(({ table, title }) =>
        html`<option value=${table}>${title}</option>`)}</select></label>
      <label>${t('record_id')}<input name="id" maxlength="64" /></label>
      <label>${t('who')}<input name="user" maxlength="64" /></label>
      <label>${t('device')}<input name="device" maxlength="64" /></label>
      <label>${t('from')}<input name="since" type="datetime-local" /></label>
      <label>${t('until')}<input name="until" type="datetime-local" /></label>
      <button type="submit">${t('filter')}</button>
    </form>
    <${Trouble} problem=${problem} />
    ${!trail && !problem && html`<${Waiting} />`}
    ${trail && html`<${Grid} caption=${t('audit')} columns=${columns} rows=${rows} />`}
    ${trail?.more && html`<button type="button" class="plain" onClick=${() => setPages(pages + 1)}>${t('more')}</button>`}`
}

function About({ event }) {
  const title = tableOf(event.table)?.title || event.table
  const name = html`<${Name} table=${event.table} id=${event.record} />`
  if (!maySee(event.table) || event.operation === 'deleted') return html`${title}: ${event.record}`
  return html`${title}: <a href=${`#/records/${event.table}/${encodeURIComponent(event.record)}`}>${name}</a>`
}

function Changes({ event }) {
  const by = tableOf(event.table)?.by
  const changes = Object.entries(event.changes).filter(([name]) => by?.has(name))
  const line = ([name, { from, to }]) => html`<div key=${name}><small>${by.get(name).title}:</small>${' '}
    ${event.operation === 'updated' && html`<${Value} field=${by.get(name)} value=${from} /> → `}
    <${Value} field=${by.get(name)} value=${to} /></div>`
  if (changes.length <= 4) return changes.map(line)
  return html`${changes.slice(0, 3).map(line)}
    <details><summary>+${changes.length - 3}</summary>${changes.slice(3).map(line)}</details>`
}
