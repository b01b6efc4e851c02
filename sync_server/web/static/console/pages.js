// The pages of the office beside the lists of records: where they are, and for whom.
// Owns: their order.
// Must not know: what they show.
// Invariant: a page's file is loaded when it is first opened, so that the login stays small.

import { Waiting } from './ui.js'
import { html, useEffect, useState } from './vendor.js'

function later(load) {
  return function Later(given) {
    const [Shown, setShown] = useState(null)
    useEffect(() => { load().then((file) => setShown(() => file.default)) }, [])
    return Shown ? html`<${Shown} ...${given} />` : html`<${Waiting} />`
  }
}

export const PAGES = [
  { path: 'inbox', isFor: ({ maySee }) => maySee('sync_issues'), show: later(() => import('./inbox.js')) },
  { path: 'desk', isFor: ({ maySee }) => maySee('availabilities') || maySee('requirements'), show: later(() => import('./desk.js')) },
  { path: 'owed', isFor: ({ may }) => may('desk.read'), show: later(() => import('./owed.js')) },
  { path: 'partners', isFor: ({ maySee }) => maySee('business_partners'), show: later(() => import('./partners.js')) },
  { path: 'board', isFor: ({ maySee }) => maySee('dispatches'), show: later(() => import('./board.js')) },
  { path: 'health', isFor: ({ may }) => may('device.manage'), show: later(() => import('./health.js')) },
  { path: 'people', isFor: ({ may }) => may('user.read'), show: later(() => import('./people.js')) },
  { path: 'jobs', isFor: ({ may }) => may('setting.update'), show: later(() => import('./jobs.js')) },
  { path: 'webhooks', isFor: ({ may }) => may('setting.update'), show: later(() => import('./webhooks.js')) },
  { path: 'privacy', isFor: ({ may }) => may('privacy.erase_approve'), show: later(() => import('./privacy.js')) },
  { path: 'audit', isFor: ({ may }) => may('audit.read'), show: later(() => import('./audit.js')) },
  { path: 'account', isFor: () => true, show: later(() => import('./account.js')) }
]
