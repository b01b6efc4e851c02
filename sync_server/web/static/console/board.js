// The dispatch board: a column per state, a card per lorry, and the next move on each card.
// Owns: the columns.
// Must not know: which moves there are; the catalogue says that, and the server judges.
// Invariant: a move is sent with If-Match, so that two people who move a lorry at once are told.

import { all, ask } from './api.js'
import { may, mayDo, tableOf } from './house.js'
import { useLive } from './live.js'
import { Name, nameOf } from './names.js'
import { Heading, Notice, Trouble, Waiting, useDoing } from './ui.js'
import { html } from './vendor.js'
import { t } from './words.js'

const TABLE = 'dispatches'

export default function Board() {
  const [records, problem, again] = useLive(() => all(TABLE, '', 400), [])
  const [run, failed, notice] = useDoing()
  const { machines, by, state } = tableOf(TABLE)
  const words = by.get(state).words
  const { moves, needs } = machines[state]
  const move = (record, word, title) => run(async () => {
    const path = `/${TABLE}/${encodeURIComponent(record.id)}`
    const { etag } = await ask('GET', path)
    await ask('PATCH', path, { [state]: word }, { 'If-Match': etag })
    await again()
  }, t('moved', { state: title }))
  const next = (record) => mayDo(TABLE, 'update')
    ? moves[record[state]].filter((word) => !needs[word] || may(...needs[word])) : []
  const titleOf = (word) => words.find((each) => each.word === word).title
  return html`<${Heading}>${t('board')}<//>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    ${!records && !problem && html`<${Waiting} />`}
    ${records && html`<div class="board" tabindex="0" role="region" aria-label=${t('board')}>${words.map(({ word, title }) => {
      const cards = records.filter((record) => record[state] === word)
      return html`<section class="column" key=${word} aria-label=${title}><h2>${title} <small>${cards.length}</small></h2>
        ${cards.slice(0, 40).map((record) => html`<article key=${record.id}>
          <a href=${`#/records/${TABLE}/${encodeURIComponent(record.id)}`}>${nameOf(TABLE, record)}</a>
          <div>${record.bales} ${t('bales')} · <${Name} table="trades" id=${record.trade_id} /></div>
          <div class="row">${next(record).map((to) =>
            html`<button type="button" class="plain" onClick=${() => move(record, to, titleOf(to))}>
              ${titleOf(to)}</button>`)}</div>
        </article>`)}</section>`
    })}</div>`}`
}
