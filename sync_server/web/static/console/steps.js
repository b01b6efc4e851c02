// The steps of a record: the commands of the trade that can be done with it now, and those that make further records of it.
// Owns: which steps are offered, and asking for what a step is told.
// Must not know: any one command; the server lists them and judges each.
// Invariant: a step is sent with If-Match, so that two people who do it at once are told.

import { ask } from './api.js'
import { commandsOf, fieldOf, may, mayDo, tableOf } from './house.js'
import { Input } from './input.js'
import { Careful, Value } from './ui.js'
import { read } from './values.js'
import { html, useState } from './vendor.js'
import { has, t } from './words.js'

const pathOf = (table, id) => `/${table}/${encodeURIComponent(id)}`
const isNow = (command, record) => !command.from.length || command.from.includes(record[command.field])

/** Give the steps from the state that a record is in: [{name, word, title, early, command?}], in the order of the catalogue. */
export function stepsOf(table, record) {
  const { machines, by } = tableOf(table)
  const commands = commandsOf(table).filter((command) => !command.makes && isNow(command, record))
  return Object.entries(machines).filter(([name]) => by.has(name) && !by.get(name).derived).flatMap(([name, machine]) => {
    const again = commands.filter((command) => command.field === name && command.to === record[name]).map((one) => one.to)
    return [...(machine.moves[record[name]] || []), ...again].filter((word) => {
      const needed = machine.needs[word] || tableOf(table).needs.update
      return may(...needed)
    }).map((word) => ({
      name,
      word,
      title: by.get(name).words.find((each) => each.word === word).title,
      early: machine.ends_early.includes(word),
      command: commands.find((command) => command.field === name && command.to === word)
    }))
  })
}

/** Do a step: by its command, or, where it has none, by writing the state. Gives the answer. */
export function doStep(table, record, step, etag, given) {
  const headers = etag ? { 'If-Match': etag } : {}
  const path = pathOf(table, record.id)
  if (step.command) return ask('POST', `${path}/${step.command.name}`, given || {}, headers)
  return ask('PATCH', path, { [step.name]: step.word }, headers)
}

/** Do a step with the record as it is now, on a page that shows many. */
export async function doStepNow(table, record, step) {
  const { body, etag } = await ask('GET', pathOf(table, record.id))
  return doStep(table, body, step, etag)
}

export const isAsking = (step) => Boolean(step.command?.parameters.some((parameter) => parameter.required))

/** Everything that can be done with a record. `done(answer)`: with the record as it is then. */
export function Steps({ table, record, etag, run, done }) {
  const [asked, setAsked] = useState(null)
  const steps = mayDo(table, 'update') ? stepsOf(table, record) : []
  const makers = commandsOf(table).filter((one) => one.makes && isNow(one, record) && may(...one.needs))
  const go = (step, given) => run(async () => {
    done(await doStep(table, record, step, etag, given))
    setAsked(null)
  }, t('moved', { state: step.title }))
  const make = (maker, given) => run(async () => {
    const answer = await ask('POST', `${pathOf(table, record.id)}/${maker.name}`, given)
    setAsked(null)
    if (answer.status === 201) location.hash = `#/records/${maker.makes}/${encodeURIComponent(answer.body.id)}`
    else done(answer)
  }, t('saved'))
  const { by, machines } = tableOf(table)
  const groups = Object.keys(machines).filter((name) => steps.some((step) => step.name === name))
  return html`${groups.map((name) => html`
    <div class="moves row" key=${name} role="group" aria-label=${`${by.get(name).title}: ${t('move_to')}`}>
      <span>${by.get(name).title}: <${Value} field=${by.get(name)} value=${record[name]} /></span>
      ${steps.filter((step) => step.name === name).map((step) => isAsking(step)
        ? html`<button type="button" class="plain" aria-expanded=${asked === step.command}
            onClick=${() => setAsked(asked === step.command ? null : step.command)}>${step.title}…</button>`
        : step.early
          ? html`<${Careful} label=${step.title} sure=${`${step.title}?`} act=${() => go(step)} />`
          : html`<button type="button" class="plain" onClick=${() => go(step)}>${step.title}</button>`)}
    </div>
    ${steps.filter((step) => step.name === name && isAsking(step) && step.command === asked).map((step) => html`
      <${Asking} key=${step.command.name} table=${table} command=${step.command} title=${step.title}
        send=${(given) => go(step, given)} cancel=${() => setAsked(null)} />`)}`)}
    ${makers.length > 0 && html`<div class="moves row" role="group" aria-label=${t('make_of_it')}>
      <span>${t('make_of_it')}:</span>
      ${makers.map((maker) => html`<button type="button" class="plain" aria-expanded=${asked === maker} title=${maker.title}
        onClick=${() => (maker.parameters.length ? setAsked(asked === maker ? null : maker) : make(maker, {}))}>
        ${titleOf(maker)}</button>`)}</div>`}
    ${makers.includes(asked) && html`<${Asking} key=${asked.name} table=${table} command=${asked} title=${titleOf(asked)}
      send=${(given) => make(asked, given)} cancel=${() => setAsked(null)} />`}`
}

/** What a maker is called: in the chosen language if the words have it, else as the server says. */
const titleOf = (maker) => (has(`make_${maker.name}`) ? t(`make_${maker.name}`) : maker.title)

/** Ask for what a command is told. */
function Asking({ table, command, title, send, cancel }) {
  const [values, setValues] = useState({})
  const fields = command.parameters.map((parameter) => ({
    ...fieldOf(parameter, [command.makes, table]),
    required: parameter.required
  }))
  const submit = (event) => {
    event.preventDefault()
    const given = fields.filter((field) => field.name in values).map((field) => [field.name, read(field, values[field.name])])
    send(Object.fromEntries(given.filter(([, value]) => value !== null)))
  }
  return html`<form class="sheet asking" aria-label=${title} onSubmit=${submit}>
    <h2>${title}</h2>
    <div class="fields">${fields.map((field) => html`<${Input} key=${field.name} field=${field}
      value=${values[field.name] ?? (field.type === 'flag' ? false : '')}
      set=${(text) => setValues((now) => ({ ...now, [field.name]: text }))} />`)}</div>
    <div class="row"><button type="submit">${title}</button>
      <button type="button" class="plain" onClick=${cancel}>${t('cancel')}</button></div>
  </form>`
}
