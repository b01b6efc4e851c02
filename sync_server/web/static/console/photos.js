// The pictures and papers of a record.
// Owns: which attachments are whose, and showing them by short-lived links.
// Must not know: any one table.
// Invariant: a picture is fetched by a link that the server gave a moment ago; what is not verified is named, not shown.

import { all, ask } from './api.js'
import { maySee, tableOf } from './house.js'
import { useLive } from './live.js'
import { Trouble, Value } from './ui.js'
import { html, useEffect, useState } from './vendor.js'
import { t } from './words.js'

const TABLE = 'attachments'

/** Name the field by which an attachment says that it is of a record of `table`; nothing: none can be. */
const ownerField = (table) => maySee(TABLE) && tableOf(TABLE).fields.find((field) => field.to === table && !field.derived)

export function Photos({ table, id }) {
  const field = ownerField(table)
  const [found, problem] = useLive(async () => (field ? all(TABLE, `&${field.name}=${encodeURIComponent(id)}`, 100) : []), [table, id])
  if (!field || (!found?.length && !problem)) return null
  return html`<section aria-labelledby="photos"><h2 id="photos">${t('photos')}</h2><${Trouble} problem=${problem} />
    <ul class="photos">${(found || []).map((one) => html`<li key=${one.id}><${Photo} attachment=${one} /></li>`)}</ul></section>`
}

function Photo({ attachment }) {
  const [url, setUrl] = useState(null)
  const { by } = tableOf(TABLE)
  const isPicture = attachment.state === 'verified' && /^image\//.test(attachment.media_type)
  useEffect(() => {
    let here = true
    if (isPicture) {
      const path = `/${TABLE}/${encodeURIComponent(attachment.id)}/link?pixels=256`
      ask('POST', path, {}).then(({ body }) => here && setUrl(body.url), () => {})
    }
    return () => { here = false }
  }, [attachment.id, isPicture])
  const open = async () => {
    const { body } = await ask('POST', `/${TABLE}/${encodeURIComponent(attachment.id)}/link`, {})
    location.assign(body.url)
  }
  const kind = html`<${Value} field=${by.get('kind')} value=${attachment.kind} />`
  return html`<figure>
    ${url && html`<img src=${url} alt=${attachment.kind} width="256" />`}
    <figcaption>${kind} <${Value} field=${by.get('state')} value=${attachment.state} />
      ${attachment.state === 'verified' && html` <button type="button" class="plain" onClick=${open}>${t('open')}</button>`}
    </figcaption></figure>`
}
