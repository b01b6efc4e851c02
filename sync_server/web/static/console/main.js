// The console: who is logged in, which page is shown, and the frame around it.
// Owns: login, navigation, language, and the end of a session.
// Must not know: what a page does.
// Invariant: who is not logged in sees nothing but the login; a page that somebody has no right to is not offered.

import { isIn, logOut, whenEnded } from './api.js'
import { allTables, learn, may, maySee, myself } from './house.js'
import { Login } from './login.js'
import { forgetNames } from './names.js'
import { PAGES } from './pages.js'
import { isLive, whenLive } from './socket.js'
import { Trouble, Waiting } from './ui.js'
import { html, render, useEffect, useState } from './vendor.js'
import { LANGUAGES, choose, language, t } from './words.js'

const here = () => decodeURIComponent(location.hash.slice(1)).split('/').filter(Boolean)

function useRoute() {
  const [route, setRoute] = useState(here())
  useEffect(() => {
    const moved = () => setRoute(here())
    addEventListener('hashchange', moved)
    return () => removeEventListener('hashchange', moved)
  }, [])
  return route
}

function App() {
  const route = useRoute()
  const [ready, setReady] = useState(false)
  const [problem, setProblem] = useState(null)
  const [tongue, setTongue] = useState(language())

  const enter = async () => {
    setProblem(null)
    try {
      forgetNames()
      await learn()
      setReady(true)
    } catch (failed) {
      setProblem(failed)
    }
  }
  const leave = (why) => {
    setReady(false)
    setProblem(why)
    forgetNames()
  }
  const speak = async (wanted) => {
    choose(wanted)
    if (isIn()) await enter()
    setTongue(wanted)
  }
  useEffect(() => whenEnded(leave), [])
  useEffect(() => { document.title = `${t('app')}${ready ? ` · ${titleOf(route)}` : ''}` })

  const languages = html`<${Languages} now=${tongue} speak=${speak} />`
  if (!ready) return html`<${Login} entered=${enter} problem=${problem} languages=${languages} />`
  const out = () => logOut().then(() => leave(null))
  return html`<${Frame} key=${tongue} route=${route} out=${out} languages=${languages} problem=${problem} />`
}

function Languages({ now, speak }) {
  return html`<label class="tongue"><span class="hidden">${t('language')}</span>
    <select value=${now} onChange=${(event) => speak(event.target.value)}>
      ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} lang=${code}>${name}</option>`)}
    </select></label>`
}

const offered = () => PAGES.filter((page) => page.isFor({ may, maySee }))

function titleOf([first, second]) {
  if (first === 'records') return allTables().find((table) => table.table === second)?.title || t('records')
  return t(PAGES.some((page) => page.path === first) ? first : offered()[0].path)
}

function Frame({ route, out, languages, problem }) {
  const [isOpen, setOpen] = useState(false)
  const skip = (event) => {
    event.preventDefault()
    document.getElementById('main').focus()
  }
  useEffect(() => setOpen(false), [route.join('/')])
  return html`
    <a class="skip" href="#main" onClick=${skip}>${t('skip')}</a>
    <header class="top">
      <button type="button" class="menu" aria-expanded=${isOpen} aria-controls="nav" onClick=${() => setOpen(!isOpen)}>
        ${t('menu')}</button>
      <strong class="brand">${t('app')}</strong><${LiveSign} />
      <span class="whose">${myself().organisation.trade_name || myself().organisation.legal_name || ''}</span>
      <span class="grow"></span>
      <span class="me">${myself().user.name || myself().user.id}</span>
      ${languages}
      <button type="button" class="plain" onClick=${out}>${t('logout')}</button>
    </header>
    <div class="body">
      <nav id="nav" class=${isOpen ? 'nav open' : 'nav'} aria-label=${t('menu')}><${Links} route=${route} /></nav>
      <main id="main" tabindex="-1"><${Trouble} problem=${problem} /><${Page} route=${route} /></main>
    </div>`
}

/** Whether changes elsewhere appear at once, for who looks for it; a screen reader is not told of each lost connection. */
function LiveSign() {
  const [live, setLive] = useState(isLive())
  useEffect(() => whenLive(setLive), [])
  return html`<span class=${live ? 'live on' : 'live'} title=${t(live ? 'live_on' : 'live_off')}>
    <span class="hidden">${t(live ? 'live_on' : 'live_off')}</span></span>`
}

function Links({ route }) {
  const [first, second] = route.length ? route : [offered()[0].path]
  const link = (to, title, isHere) =>
    html`<li><a href=${`#/${to}`} aria-current=${isHere ? 'page' : undefined}>${title}</a></li>`
  return html`
    <h2>${t('office')}</h2>
    <ul>${offered().map(({ path }) => link(path, t(path), first === path))}</ul>
    <h2>${t('records')}</h2>
    <ul>${allTables().filter(({ table }) => maySee(table)).map(({ table, title }) =>
      link(`records/${table}`, title, first === 'records' && second === table))}</ul>`
}

function Page({ route }) {
  const [first, ...rest] = route
  if (first === 'records') return html`<${RecordsPage} key=${route.join('/')} rest=${rest} />`
  const page = offered().find((each) => each.path === first) || offered()[0]
  return html`<${page.show} key=${page.path} rest=${rest} />`
}

function RecordsPage({ rest: [table, id] }) {
  const [parts, setParts] = useState(null)
  useEffect(() => { Promise.all([import('./list.js'), import('./form.js')]).then(setParts) }, [])
  if (!parts) return html`<${Waiting} />`
  const [{ List }, { Form }] = parts
  return id ? html`<${Form} table=${table} id=${id} />` : html`<${List} table=${table} />`
}

choose(language())
render(html`<${App} />`, document.getElementById('app'))
