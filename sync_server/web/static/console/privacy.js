// Requests to be forgotten: who asks, what was decided, and which devices have not heard of it.
// Owns: agreeing and refusing.
// Must not know: what is erased.
// Invariant: what is shown of a request names a record, never the person; nothing is erased at the first click.

import { ask, get } from './api.js'
import { may, maySee, tableOf } from './house.js'
import { useLive } from './live.js'
import { Careful, Grid, Heading, Notice, State, Trouble, Waiting, useDoing } from './ui.js'
import { moment } from './values.js'
import { html } from './vendor.js'
import { t } from './words.js'

const STATE = { words: [] }
const at = (request) => `/privacy/requests/${encodeURIComponent(request.id)}`

async function readRequests() {
  const { requests } = await get('/privacy/requests')
  const done = requests.filter((one) => one.state === 'done').slice(0, 20)
  const stands = new Map((await Promise.all(done.map((one) => get(at(one))))).map((one) => [one.id, one]))
  const kept = may('privacy.retention') ? (await get('/privacy/retention')).kept : []
  return { requests: requests.map((one) => stands.get(one.id) || one), kept }
}

export default function Privacy() {
  const [found, problem, again] = useLive(readRequests, [])
  const [run, failed, notice] = useDoing()
  const decide = (request, what, body) => () => run(async () => {
    await ask('POST', `${at(request)}/${what}`, body)
    await again()
  }, t('decided'))
  const refuse = (request) => (event) => {
    event.preventDefault()
    decide(request, 'refuse', { reason: new FormData(event.target).get('reason') })()
  }
  const about = (one) => {
    const title = tableOf(one.table)?.title || one.table
    return maySee(one.table) ? html`<a href=${`#/records/${one.table}/${encodeURIComponent(one.record_id)}`}>${title}: ${one.record_id}</a>`
      : `${title}: ${one.record_id}`
  }
  const columns = [
    { title: t('person'), cell: about },
    { title: t('state'), cell: (one) => html`<${State} field=${STATE} word=${one.state} />` },
    { title: t('asked_for'), cell: (one) => moment(one.asked_at) },
    { title: t('reason'), cell: (one) => one.reason },
    { title: t('devices_behind'), number: true, cell: (one) => (one.devices_behind ? String(one.devices_behind.length) : '') },
    { title: '', cell: (one) => one.state === 'open' && may('privacy.erase_approve') && html`
      <${Careful} label=${t('forget')} sure=${t('forget_sure')} act=${decide(one, 'approve')} />
      <form class="row" onSubmit=${refuse(one)}><input name="reason" required aria-label=${t('why_not')} placeholder=${t('why_not')} />
        <button type="submit" class="plain">${t('refuse')}</button></form>` }
  ]
  const periods = [
    { title: t('what'), cell: (one) => one.what },
    { title: t('days'), number: true, cell: (one) => (one.days === null ? '' : String(one.days)) },
    { title: t('reason'), cell: (one) => one.why }
  ]
  return html`<${Heading}>${t('privacy')}<//>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    ${!found && !problem && html`<${Waiting} />`}
    ${found && html`<h2>${t('requests')}</h2><${Grid} caption=${t('requests')} columns=${columns} rows=${found.requests} />
      ${found.kept.length > 0 && html`<h2>${t('kept_how_long')}</h2>
        <${Grid} caption=${t('kept_how_long')} columns=${periods} rows=${found.kept} />`}`}`
}
