// What is owed: invoices by how long they are due, and purchases that are open against the limits agreed on.
// Owns: the two charts.
// Must not know: how the lines are worked out; the desk's lists are kept by the server.
// Invariant: what a chart shows is in a table beside it; as of when it is, is said.

import { get } from './api.js'
import { useLive } from './live.js'
import { Name } from './names.js'
import { Grid, Heading, Notice, Trouble, Waiting } from './ui.js'
import { moment, number } from './values.js'
import { html } from './vendor.js'
import { t } from './words.js'

const BUCKETS = ['not_due', 'days_0_30', 'days_31_60', 'days_61_90', 'over_90']
const [WIDE, ROW, LABEL] = [960, 30, 260]
/** Partners that are drawn, those who owe most first; the table has all. */
const DRAWN = 12

async function readOwed() {
  const [ageing, exposure] = await Promise.all([get('/desk/ageing?limit=1000'), get('/desk/exposure?limit=1000')])
  return { ageing: ageing.lines, exposure: exposure.lines, at: exposure.as_of.at }
}

export default function Owed() {
  const [owed, problem] = useLive(readOwed, [])
  return html`<${Heading}>${t('owed')}<//><${Trouble} problem=${problem} />
    ${!owed && !problem && html`<${Waiting} />`}
    ${owed && html`<${Notice} text=${owed.at ? t('as_of', { at: moment(owed.at) }) : ''} />
      <${Ageing} lines=${owed.ageing} /><${Exposure} lines=${owed.exposure} />`}`
}

/** Bars from the left, a row each: [{id, label, value, most?}]; `most` is drawn as a mark. */
function Bars({ title, rows }) {
  const end = Math.max(1, ...rows.map((row) => Math.max(row.value, row.most || 0)))
  const wide = (n) => Math.max(0, n / end) * (WIDE - LABEL - 130)
  return html`<svg class="chart" viewBox=${`0 0 ${WIDE} ${rows.length * ROW}`} role="img" aria-label=${title}>
    ${rows.map((row, n) => html`<g key=${row.id}>
      <text x="0" y=${n * ROW + 19}>${row.label}</text>
      <rect class=${row.most && row.value > row.most ? 'two' : 'bar'} x=${LABEL} y=${n * ROW + 6} width=${wide(row.value)} height=${ROW - 12} />
      ${row.most && html`<line class="axis mark" x1=${LABEL + wide(row.most)} x2=${LABEL + wide(row.most)} y1=${n * ROW + 2} y2=${(n + 1) * ROW - 2} />`}
      <text x=${LABEL + wide(row.value) + 6} y=${n * ROW + 19}>${number(row.value)}</text></g>`)}
  </svg>`
}

const rupees = (name) => ({ title: t(name), number: true, cell: (line) => (line[name] === null ? '–' : number(line[name], 2)) })
const who = () => [
  { title: t('partner'), cell: (line) => html`<${Name} table="business_partners" id=${line.partner_id} />` },
  { title: t('branch'), cell: (line) => html`<${Name} table="branches" id=${line.branch_id} />` }
]
const keyed = (lines) => lines.map((line) => ({ id: line.key, ...line }))

function Ageing({ lines }) {
  const rows = BUCKETS.map((name) => ({ id: name, label: t(name), value: lines.reduce((sum, line) => sum + line[name], 0) }))
  const columns = [...who(), ...BUCKETS.map(rupees), rupees('open_amount')]
  return html`<section class="card" aria-labelledby="ageing"><h2 id="ageing">${t('ageing')}</h2>
    ${lines.length > 0 && html`<${Bars} title=${t('ageing')} rows=${rows} />`}
    <${Grid} caption=${t('ageing')} columns=${columns} rows=${keyed(lines)} empty=${t('nothing_owed')} /></section>`
}

function Exposure({ lines }) {
  const most = [...lines].sort((a, b) => b.exposure - a.exposure).slice(0, DRAWN)
  const rows = most.map((line) => ({
    id: line.key,
    label: html`<${Name} table="business_partners" id=${line.partner_id} />`,
    value: line.exposure,
    most: line.credit_limit
  }))
  const columns = [...who(), rupees('exposure'), rupees('credit_limit'), rupees('credit_left')]
  return html`<section class="card" aria-labelledby="exposure"><h2 id="exposure">${t('exposure_title')}</h2>
    <p class="quiet">${t('exposure_hint')}</p>
    ${rows.length > 0 && html`<${Bars} title=${t('exposure_title')} rows=${rows} />`}
    <${Grid} caption=${t('exposure_title')} columns=${columns} rows=${keyed(lines)} /></section>`
}
