// One's own account: how one is told, what one agreed to, sessions, password and second factor.
// Owns: these forms.
// Must not know: what follows from a choice; the server says what it took.
// Invariant: a secret is shown once, by the answer that made it, and is kept nowhere.

import { ask, get } from './api.js'
import { may, myself } from './house.js'
import { useLive } from './live.js'
import { Careful, Grid, Heading, Notice, Trouble, Waiting, useDoing } from './ui.js'
import { ago, moment } from './values.js'
import { html, useState } from './vendor.js'
import { t } from './words.js'

async function readAccount() {
  const [wishes, sessions, consents] = await Promise.all([
    get('/me/notices'),
    get('/auth/sessions'),
    may('privacy.consent') ? get('/me/consents') : { purposes: [] }
  ])
  return { wishes, sessions: sessions.sessions, purposes: consents.purposes }
}

export default function Account() {
  const [found, problem, again] = useLive(readAccount, [])
  if (!found) return html`<${Heading}>${t('account')}<//><${Trouble} problem=${problem} />${!problem && html`<${Waiting} />`}`
  const me = myself().user
  return html`<${Heading}>${t('account')}<//>
    <p class="quiet">${[me.name, me.username].filter(Boolean).join(' · ')}</p>
    <${Wishes} wishes=${found.wishes} />
    <${Consents} purposes=${found.purposes} again=${again} />
    <${Sessions} sessions=${found.sessions} again=${again} />
    <${Password} again=${again} />
    <${SecondFactor} />`
}

function Wishes({ wishes }) {
  const [run, problem, notice, busy] = useDoing()
  const save = (event) => {
    event.preventDefault()
    const said = new FormData(event.target)
    const wanted = Object.fromEntries(['email', 'quiet_from', 'quiet_until', 'daily_at', 'zone'].map((name) => [name, said.get(name)]))
    run(() => ask('PUT', '/me/notices', { ...wanted, push: said.has('push'), muted: wishes.muted }), t('saved'))
  }
  const time = (name) => html`<label>${t(name)} <input type="time" name=${name} value=${wishes[name]} required /></label>`
  return html`<h2>${t('notices')}</h2><form class="fields" aria-label=${t('notices')} onSubmit=${save}>
    <label>${t('by_mail')} <select name="email">${['at_once', 'daily', 'never'].map((word) =>
      html`<option value=${word} selected=${word === wishes.email}>${t(`mail_${word}`)}</option>`)}</select></label>
    <label class="flag"><input type="checkbox" name="push" checked=${wishes.push} /> ${t('by_push')}</label>
    ${time('daily_at')}${time('quiet_from')}${time('quiet_until')}
    <label>${t('zone')} <input name="zone" value=${wishes.zone} required /></label>
    <div class="row"><button type="submit" disabled=${busy}>${t('save')}</button></div>
    <${Trouble} problem=${problem} /><${Notice} text=${notice} /></form>`
}

function Consents({ purposes, again }) {
  const [run, problem, notice] = useDoing()
  if (!purposes.length) return null
  const say = (one, given) => run(async () => {
    await ask('PUT', `/me/consents/${one.purpose}`, given ? { given, version: one.version } : { given })
    await again()
  }, t('saved'))
  return html`<h2>${t('consents')}</h2><${Trouble} problem=${problem} /><${Notice} text=${notice} />
    <ul>${purposes.map((one) => html`<li key=${one.purpose}>${one.words}
      <div class="row"><span class="quiet">${one.given === null ? t('not_said') : t(one.given ? 'agreed' : 'objected')}</span>
        ${one.given !== true && html`<button type="button" class="plain" aria-label=${`${t('agree')}: ${one.purpose}`}
          onClick=${() => say(one, true)}>${t('agree')}</button>`}
        ${one.given !== false && html`<button type="button" class="plain" aria-label=${`${t('object')}: ${one.purpose}`}
          onClick=${() => say(one, false)}>${t('object')}</button>`}</div></li>`)}</ul>`
}

function Sessions({ sessions, again }) {
  const [run, problem, notice] = useDoing()
  const end = (path) => () => run(async () => {
    await ask('DELETE', `/auth/sessions${path}`)
    await again()
  }, t('session_ended'))
  const columns = [
    { title: t('device'), cell: (one) => one.device.name || one.device.id || one.id },
    { title: t('since'), cell: (one) => moment(one.created_at) },
    { title: t('last_seen'), cell: (one) => (one.last_seen_at ? ago(one.last_seen_at) : '') },
    { title: '', cell: (one) => one.current ? t('this_one')
      : html`<${Careful} label=${t('session_end')} sure=${`${t('session_end')}?`} act=${end(`/${encodeURIComponent(one.id)}`)} />` }
  ]
  return html`<h2>${t('sessions')}</h2><${Trouble} problem=${problem} /><${Notice} text=${notice} />
    <${Grid} caption=${t('sessions')} columns=${columns} rows=${sessions} />
    ${sessions.length > 1 && html`<p><${Careful} label=${t('end_others')} sure=${`${t('end_others')}?`}
      act=${end('?keep=current')} /></p>`}`
}

function Password({ again }) {
  const [run, problem, notice, busy] = useDoing()
  const change = (event) => {
    event.preventDefault()
    const form = event.target
    const said = new FormData(form)
    run(async () => {
      await ask('POST', '/auth/password', { old_password: said.get('old'), new_password: said.get('new') })
      form.reset()
      await again()
    }, t('password_changed'))
  }
  return html`<h2>${t('password')}</h2><form class="fields" aria-label=${t('password')} onSubmit=${change}>
    <label>${t('password_old')} <input type="password" name="old" autocomplete="current-password" required /></label>
    <label>${t('password_new')} <input type="password" name="new" autocomplete="new-password" required /></label>
    <div class="row"><button type="submit" disabled=${busy}>${t('password_change')}</button></div>
    <${Trouble} problem=${problem} /><${Notice} text=${notice} /></form>`
}

function SecondFactor() {
  const [run, problem, notice, busy] = useDoing()
  const [made, setMade] = useState(null)
  const [codes, setCodes] = useState(null)
  const begin = () => run(async () => setMade((await ask('POST', '/auth/totp', {})).body))
  const confirm = (event) => {
    event.preventDefault()
    const code = new FormData(event.target).get('code')
    run(async () => {
      setCodes((await ask('POST', '/auth/totp/confirm', { code })).body.recovery_codes)
      setMade(null)
    }, t('totp_done'))
  }
  return html`<h2>${t('totp')}</h2><${Trouble} problem=${problem} /><${Notice} text=${notice} />
    ${!made && !codes && html`<p><button type="button" class="plain" disabled=${busy} onClick=${begin}>${t('totp_begin')}</button></p>`}
    ${made && html`<form class="fields" aria-label=${t('totp')} onSubmit=${confirm}>
      <p>${t('totp_hint')} <code>${made.secret}</code></p><p><a href=${made.uri}>${t('totp_open')}</a></p>
      <label>${t('code')} <input name="code" inputmode="numeric" autocomplete="one-time-code" required /></label>
      <div class="row"><button type="submit" disabled=${busy}>${t('totp_confirm')}</button></div></form>`}
    ${codes && html`<p>${t('recovery_hint')}</p><ul>${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>`}`
}
