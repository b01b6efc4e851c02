// People: users with their grants and sessions, and the end of a session.
// Owns: how these three are put together.
// Must not know: what a role admits.
// Invariant: a session that is ended here is gone from the list by the server's word, not by ours.

import { all, ask, get } from './api.js'
import { may, mayDo, maySee, tableOf } from './house.js'
import { linkTo } from './list.js'
import { useLive } from './live.js'
import { Name, nameOf } from './names.js'
import { Careful, Grid, Heading, Notice, Trouble, Waiting, useDoing } from './ui.js'
import { ago, moment } from './values.js'
import { html } from './vendor.js'
import { t } from './words.js'

export default function People({ rest: [, id] }) {
  return id ? html`<${Person} key=${id} id=${id} />` : html`<${Everybody} />`
}

const readPeople = async () => {
  const [users, grants] = await Promise.all([all('users'), maySee('grants') ? all('grants') : []])
  return { users, grants }
}

function Everybody() {
  const [found, problem] = useLive(readPeople, [])
  const { by } = tableOf('users')
  const rolesOf = (user) => found.grants.filter((grant) => grant.user_id === user.id)
  const columns = [
    { title: by.get('name').title, cell: (user) => user.name || user.id },
    { title: by.get('username').title, cell: (user) => user.username },
    { title: t('roles'), cell: (user) => rolesOf(user).map((grant, n) =>
      html`${n > 0 && ', '}<${Name} table="roles" id=${grant.role_id} />`) }
  ]
  const link = (table, title) => maySee(table) && html`<a class="button" href=${`#/records/${table}`}>${title}</a>`
  return html`<div class="row"><${Heading}>${t('people')}<//><span class="grow"></span>
      ${link('roles', t('roles'))}${link('grants', t('grants'))}${link('settings', t('settings'))}</div>
    <${Trouble} problem=${problem} />
    ${!found && !problem && html`<${Waiting} />`}
    ${found && html`<${Grid} caption=${t('users')} columns=${columns} rows=${found.users}
      open=${(user) => `#/people/user/${encodeURIComponent(user.id)}`} />`}`
}

async function readPerson(id) {
  const [user, sessions, grants] = await Promise.all([
    get(`/users/${encodeURIComponent(id)}`),
    may('session.read') ? get(`/users/${encodeURIComponent(id)}/sessions`) : { sessions: [] },
    maySee('grants') ? all('grants', `&user_id=${encodeURIComponent(id)}`) : []
  ])
  return { user, sessions: sessions.sessions, grants }
}

function Person({ id }) {
  const [found, problem, again] = useLive(() => readPerson(id), [id])
  const [run, failed, notice] = useDoing()
  if (!found) return html`<${Trouble} problem=${problem} /><${Waiting} />`
  const end = (session) => () => run(async () => {
    await ask('DELETE', `/users/${encodeURIComponent(id)}/sessions/${encodeURIComponent(session.id)}`)
    await again()
  }, t('session_ended'))
  const about = tableOf('grants')
  const grantColumns = [
    { title: about?.by.get('role_id').title, cell: (grant) => html`<${Name} table="roles" id=${grant.role_id} />` },
    { title: about?.by.get('branch_id')?.title || t('branch'), cell: (grant) =>
      grant.branch_id && html`<${Name} table="branches" id=${grant.branch_id} />` },
    { title: about?.by.get('valid_until')?.title, cell: (grant) => moment(grant.valid_until) }
  ]
  const columns = [
    { title: t('device'), cell: (session) => session.device?.name || session.device?.id || session.id },
    { title: t('since'), cell: (session) => moment(session.created_at) },
    { title: t('last_seen'), cell: (session) => (session.last_seen_at ? ago(session.last_seen_at) : '') },
    { title: '', cell: (session) => may('session.revoke') &&
      html`<${Careful} label=${t('session_end')} sure=${`${t('session_end')}?`} act=${end(session)} />` }
  ]
  return html`<p class="quiet"><a href="#/people">${t('people')}</a></p>
    <${Heading}>${nameOf('users', found.user)}<//>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    <p><a href=${linkTo('users')(found.user)}>${t('record')}</a>
      ${mayDo('grants', 'create') && html` · <a href="#/records/grants/new">${t('new')}: ${about.title}</a>`}</p>
    <h2>${t('grants')}</h2><${Grid} caption=${t('grants')} columns=${grantColumns} rows=${found.grants} open=${linkTo('grants')} />
    <h2>${t('sessions')}</h2><${Grid} caption=${t('sessions')} columns=${columns} rows=${found.sessions} />`
}
