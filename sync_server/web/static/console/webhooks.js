// Webhooks: which endpoints are told of what, and what came of it.
// Owns: making one, pausing it, its secret, and sending again what was given up.
// Must not know: how anything is signed or sent.
// Invariant: a secret is shown once, by the answer that made it, and is kept nowhere.

import { ask, get } from './api.js'
import { useLive } from './live.js'
import { Careful, Grid, Heading, Notice, State, Trouble, Waiting, useDoing } from './ui.js'
import { ago, moment } from './values.js'
import { html, useState } from './vendor.js'
import { t } from './words.js'

const STATE = { words: [] }
const at = (webhook) => `/webhooks/${encodeURIComponent(webhook.id)}`

export default function Webhooks({ rest: [, id] }) {
  return id ? html`<${Webhook} key=${id} id=${id} />` : html`<${All} />`
}

function Secret({ secret }) {
  return secret && html`<p class="notice" role="status">${t('secret_once')} <code>${secret}</code></p>`
}

function All() {
  const [found, problem, again] = useLive(() => get('/webhooks'), [])
  const [run, failed, , busy] = useDoing()
  const [secret, setSecret] = useState('')
  const make = (event) => {
    event.preventDefault()
    const form = event.target
    const said = new FormData(form)
    run(async () => {
      const events = said.get('events').split(/[\s,]+/).filter(Boolean)
      const answer = await ask('POST', '/webhooks', { url: said.get('url'), name: said.get('name'), events })
      setSecret(answer.body.secret)
      form.reset()
      await again()
    })
  }
  const columns = [
    { title: t('webhook'), cell: (one) => one.name || one.url },
    { title: t('url'), cell: (one) => one.url },
    { title: t('events'), cell: (one) => one.events.join(', ') },
    { title: t('state'), cell: (one) => html`<${State} field=${STATE} word=${one.state} />` }
  ]
  return html`<${Heading}>${t('webhooks')}<//>
    <${Trouble} problem=${problem || failed} />
    ${!found && !problem && html`<${Waiting} />`}
    ${found && html`<${Grid} caption=${t('webhooks')} columns=${columns} rows=${found.webhooks}
      open=${(one) => `#/webhooks/of/${encodeURIComponent(one.id)}`} />`}
    <${Secret} secret=${secret} />
    <h2>${t('webhook_new')}</h2><form class="fields" aria-label=${t('webhook_new')} onSubmit=${make}>
      <label>${t('url')} <input type="url" name="url" required placeholder="https://" /></label>
      <label>${t('webhook_name')} <input name="name" maxlength="100" /></label>
      <label class="long">${t('events')} <small>${t('events_hint')}</small> <input name="events" required value="*" /></label>
      <div class="row"><button type="submit" disabled=${busy}>${t('webhook_make')}</button></div></form>`
}

async function readOne(id) {
  const path = at({ id })
  const [webhook, log] = await Promise.all([get(path), get(`${path}/deliveries?limit=50`)])
  return { webhook, deliveries: log.deliveries }
}

function Webhook({ id }) {
  const [found, problem, again] = useLive(() => readOne(id), [id])
  const [run, failed, notice] = useDoing()
  const [secret, setSecret] = useState('')
  if (!found) return html`<${Trouble} problem=${problem} />${!problem && html`<${Waiting} />`}`
  const { webhook, deliveries } = found
  const doing = (method, path, body, said) => () => run(async () => {
    const answer = await ask(method, `${at(webhook)}${path}`, body)
    setSecret(answer.body?.secret || '')
    if (method === 'DELETE') location.hash = '#/webhooks'
    else await again()
  }, said)
  const isPaused = webhook.state === 'paused'
  const columns = [
    { title: t('event'), cell: (one) => one.type },
    { title: t('state'), cell: (one) => html`<${State} field=${STATE} word=${one.state} />` },
    { title: t('tries'), number: true, cell: (one) => String(one.attempts) },
    { title: t('answer'), number: true, cell: (one) => one.status || one.error || '' },
    { title: t('when'), cell: (one) => (one.tried_at ? moment(one.tried_at) : ago(one.next_at)) },
    { title: '', cell: (one) => one.state === 'dead' && html`<button type="button" class="plain"
      aria-label=${`${t('again')}: ${one.type}`}
      onClick=${doing('POST', `/deliveries/${encodeURIComponent(one.id)}/redeliver`, {}, t('asked_again'))}>${t('again')}</button>` }
  ]
  return html`<p class="quiet"><a href="#/webhooks">${t('webhooks')}</a></p>
    <${Heading}>${webhook.name || webhook.url}<//>
    <p><${State} field=${STATE} word=${webhook.state} /> ${webhook.url} · ${webhook.events.join(', ')}</p>
    <div class="row">
      <button type="button" class="plain" onClick=${doing('PATCH', '', { state: isPaused ? 'active' : 'paused' }, t('saved'))}>
        ${t(isPaused ? 'resume' : 'pause')}</button>
      <button type="button" class="plain" onClick=${doing('POST', '/ping', {}, t('asked_again'))}>${t('ping')}</button>
      <${Careful} label=${t('secret_new')} sure=${`${t('secret_new')}?`} act=${doing('POST', '/secret', {})} />
      <${Careful} label=${t('webhook_remove')} sure=${`${t('webhook_remove')}?`} act=${doing('DELETE', '')} /></div>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} /><${Secret} secret=${secret} />
    <h2>${t('deliveries')}</h2><${Grid} caption=${t('deliveries')} columns=${columns} rows=${deliveries} />`
}
