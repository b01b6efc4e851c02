// The dispatch board: a column per state, a card per lorry, and the next move on each card.
// Owns: the columns.
// Must not know: which steps there are (steps.js); the server judges them.
// Invariant: a move is sent with If-Match, so that two people who move a lorry at once are told.

import { all } from './api.js'
import { mayDo, tableOf } from './house.js'
import { useLive } from './live.js'
import { Name, nameOf } from './names.js'
import { doStepNow, isAsking, stepsOf } from './steps.js'
import { Heading, Notice, Trouble, Waiting, useDoing } from './ui.js'
import { html } from './vendor.js'
import { t } from './words.js'

const TABLE = 'dispatches'

export default function Board() {
  const [records, problem, again] = useLive(() => all(TABLE, '', 400), [])
  const [run, failed, notice] = useDoing()
  const { by, state } = tableOf(TABLE)
  const words = by.get(state).words
  const move = (record, step) => run(async () => {
    await doStepNow(TABLE, record, step)
    await again()
  }, t('moved', { state: step.title }))
  // What a step must be told is asked on the lorry's own page.
  const next = (record) => (mayDo(TABLE, 'update') ? stepsOf(TABLE, record).filter((step) => !isAsking(step)) : [])
  return html`<${Heading}>${t('board')}<//>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    ${!records && !problem && html`<${Waiting} />`}
    ${records && html`<div class="board" tabindex="0" role="region" aria-label=${t('board')}>${words.map(({ word, title }) => {
      const cards = records.filter((record) => record[state] === word)
      return html`<section class="column" key=${word} aria-label=${title}><h2>${title} <small>${cards.length}</small></h2>
        ${cards.slice(0, 40).map((record) => html`<article key=${record.id}>
          <a href=${`#/records/${TABLE}/${encodeURIComponent(record.id)}`}>${nameOf(TABLE, record)}</a>
          <div>${record.bales} ${t('bales')} · <${Name} table="trades" id=${record.trade_id} /></div>
          <div class="row">${next(record).map((step) =>
            html`<button type="button" class="plain" onClick=${() => move(record, step)}>${step.title}</button>`)}</div>
        </article>`)}</section>`
    })}</div>`}`
}
