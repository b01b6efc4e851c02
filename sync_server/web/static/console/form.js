// A record of any table: read, made, changed, moved to its next state, deleted.
// Owns: the form, and what becomes of a change that clashes with somebody else's.
// Must not know: any one table; what may be changed is the catalogue's to say and the server's to judge.
// Invariant: a change is sent with If-Match, so that nothing that somebody else wrote is lost without being shown.

import { ask } from './api.js'
import { may, mayDo, tableOf } from './house.js'
import { Input } from './input.js'
import { useLive } from './live.js'
import { nameOf } from './names.js'
import { Photos } from './photos.js'
import { Steps } from './steps.js'
import { Careful, Grid, Heading, Notice, Trouble, Value, Waiting, useDoing } from './ui.js'
import { isFixed, read, typed } from './values.js'
import { html, useEffect, useState } from './vendor.js'
import { t } from './words.js'

const blankOf = (table) => Object.fromEntries(tableOf(table).fields.map((field) => [field.name, field.default]))
const pathOf = (table, id) => `/${table}/${encodeURIComponent(id)}`

export function Form({ table, id }) {
  const isNew = id === 'new'
  const load = async () => {
    if (isNew) return { record: blankOf(table), etag: null }
    const answer = await ask('GET', pathOf(table, id))
    return { record: answer.body, etag: answer.etag }
  }
  const [held, problem, again] = useLive(load, [table, id])
  const about = tableOf(table)
  if (!about) return html`<p class="quiet">${t('nothing')}</p>`
  const title = isNew ? `${t('new')}: ${about.title}` : held ? nameOf(table, held.record) : about.title
  return html`
    <p class="quiet"><a href=${`#/records/${table}`}>${t('back')}</a> · ${about.title}</p>
    <${Heading}>${title}<//>
    <${Trouble} problem=${problem} />
    ${!held && !problem && html`<${Waiting} />`}
    ${held && html`<${Sheet} table=${table} held=${held} isNew=${isNew} again=${again} />`}
    ${held && !isNew && html`<${Photos} table=${table} id=${id} />`}`
}

/** Say why a field cannot be changed: a key of the words, or nothing. */
function barrier(table, field, record, isNew) {
  if (field.derived) return 'server_writes'
  if (field.write.length && !may(...field.write)) return 'no_right'
  if (field.change === 'guarded' || (!isNew && isFixed(field, record))) return 'is_fixed'
  return isNew || mayDo(table, 'update') ? '' : 'no_right'
}

function changesIn(fields, values, record, isNew) {
  const changed = {}
  for (const field of fields) {
    if (!(field.name in values)) continue
    const value = read(field, values[field.name])
    if (value !== (record[field.name] ?? null)) changed[field.name] = value
  }
  return changed
}

function Sheet({ table, held, isNew, again }) {
  const about = tableOf(table)
  const [opened, setOpened] = useState(held)
  const [values, setValues] = useState({})
  const [clash, setClash] = useState(null)
  const [run, problem, notice, busy] = useDoing()
  const isTouched = Object.keys(values).length > 0
  // While nothing was typed the newest is shown; what is being edited stays what it was, so that a clash is found.
  useEffect(() => { if (!isTouched) setOpened(held) }, [held, isTouched])
  const { record } = opened

  const done = (answer) => {
    setValues({})
    setClash(null)
    if (isNew) location.hash = `#/records/${table}/${encodeURIComponent(answer.body.id)}`
    else setOpened({ record: answer.body, etag: answer.etag })
  }
  const send = (patch, headers) => async () => {
    try {
      const method = isNew ? 'POST' : 'PATCH'
      done(await ask(method, isNew ? `/${table}` : pathOf(table, record.id), patch, headers))
    } catch (failed) {
      if (failed.status !== 412) throw failed
      const now = await ask('GET', pathOf(table, record.id))
      setClash({ patch, fields: failed.said.fields || Object.keys(patch), record: now.body, etag: now.etag })
    }
  }
  const save = (event) => {
    event.preventDefault()
    run(async () => {
      const patch = changesIn(about.fields, values, record, isNew)
      await send(patch, isNew ? {} : { 'If-Match': opened.etag })()
    }, t('saved'))
  }
  const drop = () => run(async () => {
    await ask('DELETE', pathOf(table, record.id), undefined, { 'If-Match': opened.etag })
    location.hash = `#/records/${table}`
  })
  const theirs = () => {
    setOpened(clash)
    setValues({})
    setClash(null)
    again()
  }
  const shownFields = about.fields.filter((field) => isNew ? !field.derived : field.name in record || !field.derived)
  return html`
    ${!isNew && html`<${Steps} table=${table} record=${record} etag=${opened.etag} run=${run} done=${done} />`}
    <${Notice} text=${clash ? '' : notice} />
    ${clash
      ? html`<${Clash} about=${about} clash=${clash} theirs=${theirs}
          merge=${() => run(send(clash.patch, { 'If-Match': opened.etag, Prefer: 'merge' }), t('saved'))}
          mine=${() => run(send(clash.patch, { 'If-Match': clash.etag }), t('saved'))} problem=${problem} />`
      : html`<form class="sheet" onSubmit=${save} noValidate=${false}>
        <div class="fields">${shownFields.map((field) => {
          const why = barrier(table, field, record, isNew)
          const value = field.name in values ? values[field.name] : typed(field, record[field.name])
          const set = (text) => setValues((now) => ({ ...now, [field.name]: text }))
          return why
            ? html`<${Fixed} key=${field.name} field=${field} value=${record[field.name]} why=${t(why)} isNew=${isNew} />`
            : html`<${Input} key=${field.name} field=${field} value=${value} set=${set} />`
        })}</div>
        <${Trouble} problem=${problem} />
        <div class="row">
          ${(isNew || mayDo(table, 'update')) &&
            html`<button type="submit" disabled=${busy || !isTouched}>${t('save')}</button>`}
          ${isTouched && html`<button type="button" class="plain" onClick=${() => setValues({})}>${t('cancel')}</button>`}
          <span class="grow"></span>
          ${!isNew && mayDo(table, 'delete') && html`<${Careful} label=${t('remove')} sure=${t('sure')} act=${drop} />`}
        </div>
      </form>`}`
}

function Fixed({ field, value, why, isNew }) {
  if (isNew) return null
  return html`<div class="fixed" title=${why}><span class="label">${field.title}</span>
    <span class="value"><${Value} field=${field} value=${value} /></span></div>`
}

function Clash({ about, clash, theirs, merge, mine, problem }) {
  const rows = clash.fields.filter((name) => about.by.has(name)).map((name) => ({ id: name, field: about.by.get(name) }))
  const columns = [
    { title: t('field'), cell: ({ field }) => field.title },
    { title: t('yours'), cell: ({ field }) => html`<${Value} field=${field} value=${clash.patch[field.name]} />` },
    { title: t('server_has'), cell: ({ field }) => html`<${Value} field=${field} value=${clash.record[field.name]} />` }
  ]
  return html`<section class="clash" aria-labelledby="clash">
    <h2 id="clash">${t('clash')}</h2><p>${t('clash_text')}</p>
    <${Grid} caption=${t('clash')} columns=${columns} rows=${rows} />
    <${Trouble} problem=${problem} />
    <div class="row">
      <button type="button" onClick=${merge}>${t('clash_merge')}</button>
      <button type="button" class="plain" onClick=${mine}>${t('clash_mine')}</button>
      <button type="button" class="plain" onClick=${theirs}>${t('clash_theirs')}</button>
    </div></section>`
}
