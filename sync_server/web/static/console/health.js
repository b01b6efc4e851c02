// Sync health: every device, what it has yet to send, how far it is behind; pushes by hour; one device's story.
// Owns: the tables, the chart and what can be done about a device.
// Must not know: how the server finds it out.
// Invariant: what the chart shows is in a table beside it, and no number is shown that the server did not count.

import { ask, get, post } from './api.js'
import { allTables } from './house.js'
import { useLive } from './live.js'
import { Name } from './names.js'
import { Careful, Grid, Heading, Notice, Trouble, Waiting, useDoing } from './ui.js'
import { ago, moment, number } from './values.js'
import { html, useState } from './vendor.js'
import { t } from './words.js'

const readAll = async () => {
  const [{ devices }, health] = await Promise.all([get('/devices?all=true'), get('/sync/health')])
  return { devices, health }
}

export default function Health({ rest: [, id] }) {
  const [found, problem, again] = useLive(readAll, [])
  if (!found) return html`<${Heading}>${t('health')}<//><${Trouble} problem=${problem} /><${Waiting} />`
  const device = id && found.devices.find((each) => each.id === id)
  return device
    ? html`<${Device} key=${id} device=${device} again=${again} />`
    : html`<${Overview} ...${found} problem=${problem} />`
}

const sum = (values) => values.reduce((all, each) => all + each, 0)

function Overview({ devices, health, problem }) {
  const issues = health.open_issues
  const tiles = [
    [devices.filter((device) => device.state === 'active').length, 'summary_devices'],
    [sum(devices.map((device) => device.pending || 0)), 'summary_pending'],
    [sum(Object.values(issues)), 'summary_parked'],
    [sum(health.hours.map((hour) => hour.pushes)), 'summary_pushes']
  ]
  const columns = [
    { title: t('device'), cell: (device) => device.name || device.id },
    { title: t('person'), cell: (device) => html`<${Name} table="users" id=${device.user_id} />` },
    { title: t('state'), cell: (device) => device.state },
    { title: t('app_version'), cell: (device) => device.app_version },
    { title: t('schema_version'), number: true, cell: (device) => device.schema_version },
    { title: t('lag'), hint: t('lag_hint'), number: true, cell: (device) => known(device.lag) },
    { title: t('pending'), hint: t('pending_hint'), number: true, cell: (device) => known(device.pending) },
    { title: t('parked'), hint: t('parked_hint'), number: true, cell: (device) => issues[device.id] || 0 },
    { title: t('last_seen'), cell: (device) => ago(device.last_seen_at) }
  ]
  return html`<${Heading}>${t('health')}<//><${Trouble} problem=${problem} />
    <div class="tiles">${tiles.map(([n, key]) => html`<div class="tile"><b>${number(n)}</b>${t(key)}</div>`)}</div>
    <${Chart} hours=${health.hours} />
    <h2>${t('devices')}</h2><p class="quiet">${t('schema_now', { n: health.schema_version })}</p>
    <${Grid} caption=${t('devices')} columns=${columns} rows=${devices}
      open=${(device) => `#/health/device/${encodeURIComponent(device.id)}`} />`
}

const known = (value) => (value === null ? t('behind_unknown') : number(value))

const [WIDE, HIGH, FOOT] = [960, 150, 18]

function Chart({ hours }) {
  const most = Math.max(1, ...hours.map((hour) => Math.max(hour.pushes, hour.heard)))
  const step = WIDE / hours.length
  const high = (n) => (n / most) * (HIGH - FOOT - 12)
  const bar = (n, at, name) =>
    html`<rect class=${name} x=${at} y=${HIGH - FOOT - high(n)} width=${step * 0.38} height=${high(n)} />`
  const label = (hour) => String(new Date(hour.at).getHours()).padStart(2, '0')
  const rows = hours.map((hour) => ({ id: hour.at, ...hour }))
  const columns = [
    { title: t('hour'), cell: (hour) => moment(hour.at) },
    { title: t('pushes'), number: true, cell: (hour) => hour.pushes },
    { title: t('heard'), number: true, cell: (hour) => hour.heard }
  ]
  return html`<section class="card" aria-labelledby="activity"><h2 id="activity">${t('activity')}</h2>
    <svg class="chart" viewBox=${`0 0 ${WIDE} ${HIGH}`} role="img" aria-label=${t('activity')}>
      <line class="axis" x1="0" x2=${WIDE} y1=${HIGH - FOOT} y2=${HIGH - FOOT} />
      <text x="0" y="10">${most}</text>
      ${hours.map((hour, n) => html`<g key=${hour.at}>
        ${bar(hour.pushes, n * step + step * 0.1, 'bar')}${bar(hour.heard, n * step + step * 0.5, 'two')}
        ${n % 3 === 0 && html`<text x=${n * step} y=${HIGH - 4}>${label(hour)}</text>`}</g>`)}
    </svg>
    <p><span class="key">${t('pushes')}</span> <span class="key two">${t('heard')}</span></p>
    <p class="quiet">${t('activity_note')}</p>
    <details><summary>${t('as_table')}</summary>
      <${Grid} caption=${t('activity')} columns=${columns} rows=${rows} /></details></section>`
}

function Device({ device, again }) {
  const path = `/devices/${encodeURIComponent(device.id)}`
  const [told, problem] = useLive(() => get(`${path}/timeline`), [device.id])
  const [run, failed, notice] = useDoing()
  const act = (what, said) => () => run(async () => {
    await post(`${path}/${what}`)
    await again()
  }, t(said))
  const columns = [
    { title: t('when'), cell: (trace) => moment(trace.at) },
    { title: t('kind'), cell: (trace) => trace.kind },
    { title: t('detail'), cell: (trace) => trace.detail },
    { title: t('record'), cell: (trace) => trace.about && html`<a href=${`#/records/${trace.about}`}>${trace.about}</a>` }
  ]
  const rows = (told?.traces || []).map((trace, n) => ({ id: n, ...trace }))
  return html`<p class="quiet"><a href="#/health">${t('health')}</a></p>
    <${Heading}>${device.name || device.id}<//>
    <p><${Name} table="users" id=${device.user_id} /> · ${device.platform} ${device.app_version} · ${t('state')}:${' '}
      ${device.state} · ${t('last_seen')} ${ago(device.last_seen_at)}</p>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    <div class="row">
      <${Careful} label=${t('revoke')} sure=${t('revoke_sure')} act=${act('revoke', 'revoked')}
        disabled=${device.state !== 'active'} />
      <${Careful} label=${t('wipe')} sure=${t('wipe_sure')} act=${act('wipe', 'wiping')}
        disabled=${device.state === 'wiped' || device.state === 'wiping'} /></div>
    <h2>${t('timeline')}</h2>
    ${told ? html`<${Grid} caption=${t('timeline')} columns=${columns} rows=${rows} />` : html`<${Waiting} />`}
    <${Explain} device=${device} />`
}

function Explain({ device }) {
  const [run, problem] = useDoing()
  const [said, setSaid] = useState(null)
  const submit = (event) => {
    event.preventDefault()
    const asked = new FormData(event.target)
    asked.set('device', device.id)
    run(async () => setSaid((await ask('GET', `/sync/explain?${new URLSearchParams(asked)}`)).body))
  }
  return html`<section class="card" aria-labelledby="explain"><h2 id="explain">${t('explain')}</h2>
    <p class="quiet">${t('explain_hint')}</p>
    <form class="row tools" onSubmit=${submit}>
      <label>${t('table')}<select name="table">${allTables().map(({ table, title }) =>
        html`<option value=${table}>${title}</option>`)}</select></label>
      <label>${t('record_id')}<input name="id" required maxlength="64" /></label>
      <button type="submit" class="plain">${t('explain_do')}</button></form>
    <${Trouble} problem=${problem} />
    <div role="status">${said && html`${said.sentence && html`<p>${said.sentence}</p>`}
      <pre tabindex="0">${JSON.stringify(said, null, 2)}</pre>`}</div></section>`
}
