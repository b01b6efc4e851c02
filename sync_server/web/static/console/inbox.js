// The inbox: what could not be applied, side by side, and what a person makes of it.
// Owns: the comparison, and the four ways out.
// Must not know: how the server judges a resolution.
// Invariant: every open issue that the person sees is here; settling it is one click, or an edit and a click.

import { all, ask } from './api.js'
import { tableOf } from './house.js'
import { Input } from './input.js'
import { useLive } from './live.js'
import { Name, nameOf } from './names.js'
import { Careful, Heading, Notice, Trouble, Value, Waiting, useDoing } from './ui.js'
import { ago, read, typed } from './values.js'
import { html, useState } from './vendor.js'
import { t } from './words.js'

const SERVERS = new Set(['created_at', 'updated_at', 'created_by', 'updated_by'])

export default function Inbox() {
  const [issues, problem, again] = useLive(() => all('sync_issues', '&state=open', 200), [])
  const [run, failed, notice] = useDoing()
  const settle = (issue, how, values) => run(async () => {
    await ask('POST', `/sync/issues/${encodeURIComponent(issue.id)}/resolve`, values ? { how, values } : { how })
    await again()
  }, t('issue_settled'))
  return html`
    <${Heading}>${t('inbox')}<//>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    ${!issues && !problem && html`<${Waiting} />`}
    ${issues && !issues.length && html`<p class="quiet">${t('issue_none')}</p>`}
    ${(issues || []).map((issue) => html`<${Issue} key=${issue.id} issue=${issue} settle=${settle} />`)}`
}

const parsed = (text) => (text ? JSON.parse(text) : {})

function Issue({ issue, settle }) {
  const about = tableOf(issue.table_name)
  const [base, ours, theirs] = [parsed(issue.base), parsed(issue.ours), parsed(issue.theirs || issue.payload)]
  const [edits, setEdits] = useState(null)
  const name = nameOf(issue.table_name, { id: issue.record_id, ...theirs, ...ours })
  const fields = (about?.fields || []).filter((field) => differs(field, issue, base, ours, theirs))
  const can = issue.sentence !== undefined
  const edit = () => setEdits(Object.fromEntries(
    fields.filter((field) => !field.derived).map((field) => [field.name, typed(field, theirs[field.name])])))
  const send = (event) => {
    event.preventDefault()
    const values = Object.fromEntries(Object.entries(edits).map(([key, text]) => [key, read(about.by.get(key), text)]))
    settle(issue, 'edited', values)
  }
  return html`<article class="card" aria-labelledby=${`issue-${issue.id}`}>
    <h2 id=${`issue-${issue.id}`}>${t('issue_of', { table: about?.title || issue.table_name, name })}</h2>
    <p>${issue.sentence}</p>
    ${issue.suggestion && html`<p class="quiet">${t('suggestion')}: ${issue.suggestion}</p>`}
    <p class="quiet"><${Name} table="users" id=${issue.author_id} />, ${ago(issue.created_at)}</p>
    ${fields.length > 0 && html`<${Sides} title=${name} fields=${fields} sides=${{ base, ours, theirs }} />`}
    ${edits && html`<form class="sheet" onSubmit=${send}>
      <div class="fields">${fields.filter((field) => field.name in edits).map((field) =>
        html`<${Input} key=${field.name} field=${field} value=${edits[field.name]}
          set=${(text) => setEdits((now) => ({ ...now, [field.name]: text }))} />`)}</div>
      <div class="row"><button type="submit">${t('keep_edited')}</button>
        <button type="button" class="plain" onClick=${() => setEdits(null)}>${t('cancel')}</button></div></form>`}
    ${!edits && html`<div class="row">
      ${can && html`<button type="button" onClick=${() => settle(issue, 'mine')}>${t('keep_mine')}</button>`}
      <button type="button" class="plain" onClick=${() => settle(issue, 'theirs')}>${t('keep_theirs')}</button>
      ${can && issue.operation !== 'deleted' && fields.length > 0 &&
        html`<button type="button" class="plain" onClick=${edit}>${t('edit')}</button>`}
      <${Careful} label=${t('discard')} sure=${`${t('discard')}?`} act=${() => settle(issue, 'discard')} /></div>`}
  </article>`
}

function differs(field, issue, base, ours, theirs) {
  if (SERVERS.has(field.name)) return false
  if (JSON.parse(issue.fields || '[]').includes(field.name)) return true
  const [a, b, c] = [base, ours, theirs].map((side) => JSON.stringify(side[field.name] ?? null))
  return issue.operation === 'updated' ? a !== b || b !== c : c !== 'null' && b !== c
}

function Sides({ title, fields, sides }) {
  const isSame = (field) =>
    JSON.stringify(sides.ours[field.name] ?? null) === JSON.stringify(sides.theirs[field.name] ?? null)
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table>
    <thead><tr><th scope="col">${t('field')}</th>${['base', 'ours', 'theirs'].map((side) =>
      html`<th scope="col">${t(side)}</th>`)}</tr></thead>
    <tbody>${fields.map((field) => html`<tr key=${field.name}><th scope="row">${field.title}</th>
      ${['base', 'ours', 'theirs'].map((side) =>
        html`<td class=${side !== 'base' && !isSame(field) ? 'differs' : ''}>
          <${Value} field=${field} value=${sides[side][field.name]} /></td>`)}</tr>`)}</tbody></table></div>`
}
