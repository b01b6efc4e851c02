// The desk: what can still be had and is still sought, what of it meets, and the talks and trades that are open.
// Owns: how bales are added up, and which tables the desk shows.
// Must not know: how a record is changed; form.js does that.
// Invariant: a position adds up records that the person may see, and says so by linking to them.

import { all, get } from './api.js'
import { maySee, tableOf } from './house.js'
import { columnsOf, gridColumns, linkTo } from './list.js'
import { useLive } from './live.js'
import { Name } from './names.js'
import { Grid, Heading, Trouble, Waiting } from './ui.js'
import { number } from './values.js'
import { html } from './vendor.js'
import { t } from './words.js'

const OPEN = {
  availabilities: ['active', 'reserved'],
  requirements: ['open', 'part_filled'],
  negotiations: ['open', 'accepted'],
  trades: ['draft', 'confirmed', 'in_delivery', 'disputed']
}
const MOST = 400
/** Matches that are shown, the best first. */
const BEST = 25

const readOpen = async (table) => {
  if (!maySee(table)) return []
  const pages = await Promise.all(OPEN[table].map((state) => all(table, `&state=${state}`, MOST)))
  return pages.flat()
}

async function readDesk() {
  const [availabilities, requirements, negotiations, trades, matches] = await Promise.all([
    ...Object.keys(OPEN).map(readOpen),
    maySee('matches') ? get(`/matches?is_dismissed=false&sort=-score&limit=${BEST}`).then(({ records }) => records) : []
  ])
  return { availabilities, requirements, matches: matches.filter((match) => match.score > 0), negotiations, trades }
}

export default function Desk() {
  const [open, problem] = useLive(readDesk, [])
  return html`<${Heading}>${t('desk')}<//><${Trouble} problem=${problem} />
    ${!open && !problem && html`<${Waiting} />`}
    ${open && html`<h2>${t('positions')}</h2><p class="quiet">${t('positions_hint')}</p>
      <${Positions} open=${open} />
      ${Object.entries(open).filter(([table]) => maySee(table)).map(([table, records]) => html`
        <h2><a href=${`#/records/${table}`}>${tableOf(table).title}</a></h2>
        <${Grid} caption=${tableOf(table).title} columns=${gridColumns(table, columnsOf(table))} rows=${records}
          open=${linkTo(table)} />`)}`}`
}

function positionsOf({ availabilities, requirements, trades }) {
  const found = new Map()
  const add = (record, name, bales) => {
    const id = `${record.branch_id}/${record.variety_id || ''}`
    const row = found.get(id) || { id, branch: record.branch_id, variety: record.variety_id, offered: 0, sought: 0, traded: 0 }
    found.set(id, { ...row, [name]: row[name] + bales })
  }
  availabilities.forEach((lot) => add(lot, 'offered', Math.max(0, lot.bales_offered - (lot.bales_sold || 0))))
  requirements.forEach((wish) => add(wish, 'sought', wish.bales_max || wish.bales_min || 0))
  trades.forEach((trade) => add(trade, 'traded', trade.bales))
  return [...found.values()].sort((a, b) => b.offered + b.sought - a.offered - a.sought)
}

function Positions({ open }) {
  const columns = [
    { title: t('variety'), cell: (row) => row.variety ? html`<${Name} table="varieties" id=${row.variety} />` : '–' },
    { title: t('branch'), cell: (row) => html`<${Name} table="branches" id=${row.branch} />` },
    ...['offered', 'sought', 'traded'].map((name) => ({ title: t(name), number: true, cell: (row) => number(row[name]) }))
  ]
  return html`<${Grid} caption=${t('positions')} columns=${columns} rows=${positionsOf(open)} />`
}
