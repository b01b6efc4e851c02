// The login: name, password and, where the person has one, a second factor.
// Owns: the form.
// Must not know: what comes after it.
// Invariant: the code is asked for only once the server wants it, and the password is forgotten as soon as it was right.

import { logIn } from './api.js'
import { Trouble, useDoing } from './ui.js'
import { html, useEffect, useRef, useState } from './vendor.js'
import { t } from './words.js'

export function Login({ entered, problem, languages }) {
  const [run, wrong, , busy] = useDoing()
  const [wantsCode, setWantsCode] = useState(false)
  const first = useRef(null)
  const code = useRef(null)
  useEffect(() => first.current?.focus(), [])
  useEffect(() => { if (wantsCode) code.current?.focus() }, [wantsCode])
  useEffect(() => { if (wrong?.code === 'second_factor_needed') setWantsCode(true) }, [wrong])

  const submit = (event) => {
    event.preventDefault()
    const said = new FormData(event.target)
    run(async () => {
      await logIn(said.get('username'), said.get('password'), said.get('code'))
      await entered()
    })
  }
  const isEnded = problem && problem.status === 401
  return html`<main class="login">
    <form onSubmit=${submit}>
      <div class="row"><h1>${t('app')}</h1><span class="grow"></span>${languages}</div>
      ${isEnded && !wrong && html`<p class="notice" role="status">${t('relog')}</p>`}
      ${!isEnded && !wrong && html`<${Trouble} problem=${problem} />`}
      <label>${t('username')}
        <input name="username" ref=${first} autocomplete="username" required autocapitalize="none" /></label>
      <label>${t('password')}
        <input name="password" type="password" autocomplete="current-password" required /></label>
      ${wantsCode && html`<label>${t('code')} <small>${t('code_hint')}</small>
        <input name="code" ref=${code} inputmode="numeric" autocomplete="one-time-code" required /></label>`}
      <${Trouble} problem=${wrong} />
      <button type="submit" disabled=${busy}>${t('login')}</button>
    </form>
  </main>`
}
