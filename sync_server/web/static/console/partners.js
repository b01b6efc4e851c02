// Partners: who waits for approval, whose papers are to be verified, and the one click for both.
// Owns: the order in which partners are shown, and the moves beside each.
// Must not know: which steps there are (steps.js).
// Invariant: a move is sent with If-Match of the record as it is when it is clicked, and its refusal is shown.

import { all } from './api.js'
import { mayDo, tableOf } from './house.js'
import { linkTo } from './list.js'
import { useLive } from './live.js'
import { Name } from './names.js'
import { doStepNow, stepsOf } from './steps.js'
import { Careful, Grid, Heading, Notice, Trouble, Value, Waiting, useDoing } from './ui.js'
import { html } from './vendor.js'
import { t } from './words.js'

const TABLE = 'business_partners'

export default function Partners() {
  const { by, machines } = tableOf(TABLE)
  const [partners, problem, again] = useLive(() => all(TABLE, '', 1000), [])
  const [run, failed, notice] = useDoing()
  const move = (partner, step) => () => run(async () => {
    await doStepNow(TABLE, partner, step)
    await again()
  }, t('moved', { state: `${partner.legal_name}: ${step.title}` }))

  const movesOf = (partner, name) => {
    if (!mayDo(TABLE, 'update')) return null
    return stepsOf(TABLE, partner).filter((step) => step.name === name).map((step) => step.early
      ? html`<${Careful} key=${step.word} label=${step.title} sure=${`${step.title}?`} act=${move(partner, step)} />`
      : html`<button type="button" class="plain" key=${step.word} onClick=${move(partner, step)}
          aria-label=${`${step.title}: ${partner.legal_name}`}>${step.title}</button>`)
  }
  const stateCell = (name) => (partner) => html`<div class="row"><${Value} field=${by.get(name)} value=${partner[name]} />
    ${movesOf(partner, name)}</div>`
  const columns = [
    { title: by.get('legal_name').title, cell: (partner) => partner.legal_name },
    { title: by.get('kind').title, cell: (partner) => html`<${Value} field=${by.get('kind')} value=${partner.kind} />` },
    { title: by.get('branch_id').title, cell: (partner) => html`<${Name} table="branches" id=${partner.branch_id} />` },
    { title: by.get('gstin').title, cell: (partner) => partner.gstin },
    ...Object.keys(machines).map((name) => ({ title: by.get(name).title, cell: stateCell(name) }))
  ]
  const waits = (partner) => partner.state === 'submitted' || (partner.state === 'approved' && partner.kyc_state !== 'verified')
  const waiting = (partners || []).filter(waits)
  const others = (partners || []).filter((partner) => !waits(partner))
  return html`<${Heading}>${t('partners')}<//>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    ${!partners && !problem && html`<${Waiting} />`}
    ${partners && html`<h2>${t('waiting_approval')}</h2>
      <${Grid} caption=${t('waiting_approval')} columns=${columns} rows=${waiting} open=${linkTo(TABLE)} />
      <h2>${t('everything')}</h2>
      <${Grid} caption=${t('everything')} columns=${columns} rows=${others} open=${linkTo(TABLE)} />`}`
}
