// The way to the server: tokens, requests, and problems as errors.
// Owns: the session of this page; its tokens are in this module's memory and nowhere else, so that no other script, tab or
// later user of the browser finds them.
// Must not know: what is asked for, or shown.
// Invariant: a request whose token ran out is asked once more with a new one, and no two refreshes go at once: a refresh
// token that is shown twice ends the session.

export class Problem extends Error {
  constructor(status, said) {
    super(said.detail || said.title || String(status))
    this.status = status
    this.code = said.code || 'unreachable'
    this.said = said
  }
}

let tokens = null
let refreshing = null
let onEnd = () => {}

export const isIn = () => tokens !== null
export const session = () => tokens

/** Have `told(problem)` called when the session ends other than by logging out. */
export function whenEnded(told) {
  onEnd = told
}

async function send(method, path, { body, headers = {}, token } = {}) {
  const sent = { ...headers }
  if (body !== undefined) sent['Content-Type'] = 'application/json'
  if (token) sent.Authorization = `Bearer ${token}`
  let answer
  try {
    const text = body === undefined ? undefined : JSON.stringify(body)
    answer = await fetch(path, { method, headers: sent, body: text, cache: 'no-store', credentials: 'omit' })
  } catch {
    throw new Problem(0, { code: 'unreachable' })
  }
  const text = await answer.text()
  const isJson = /json/.test(answer.headers.get('Content-Type') || '')
  const read = text && isJson ? JSON.parse(text) : null
  if (!answer.ok && answer.status !== 304) throw new Problem(answer.status, read || {})
  return { status: answer.status, body: read, etag: answer.headers.get('ETag') }
}

/** Log in; raises Problem, `second_factor_needed` if a code is asked for. */
export async function logIn(username, password, code) {
  const device = { name: 'Console', platform: 'web' }
  const body = { username, password, device, ...(code ? { code } : {}) }
  tokens = (await send('POST', '/api/v1/auth/login', { body })).body
  return tokens
}

export async function logOut() {
  const token = tokens && tokens.access_token
  tokens = null
  if (token) await send('POST', '/api/v1/auth/logout', { token }).catch(() => {})
}

function refresh() {
  refreshing ??= send('POST', '/api/v1/auth/refresh', { body: { refresh_token: tokens.refresh_token } })
    .then(({ body }) => { tokens = body })
    .finally(() => { refreshing = null })
  return refreshing
}

/** Ask below /api/v1. Gives {status, body, etag}; raises Problem. */
export async function ask(method, path, body, headers) {
  if (!tokens) throw new Problem(401, { code: 'session_ended' })
  const once = () => send(method, `/api/v1${path}`, { body, headers, token: tokens.access_token })
  try {
    return await once()
  } catch (problem) {
    if (problem.status !== 401) throw problem
    return again(once, problem)
  }
}

async function again(once, problem) {
  try {
    if (!tokens || problem.code !== 'token_expired') throw problem
    await refresh()
    return await once()
  } catch (second) {
    if (second.status === 401 && tokens) {
      tokens = null
      onEnd(second)
    }
    throw second
  }
}

export const get = (path) => ask('GET', path).then((answer) => answer.body)
export const post = (path, body = {}) => ask('POST', path, body).then((answer) => answer.body)

/** Read up to `most` records of a table, page by page. */
export async function all(table, query = '', most = 1000) {
  const records = []
  let after = ''
  while (records.length < most) {
    const page = await get(`/${table}?limit=200${query}${after}`)
    records.push(...page.records)
    if (!page.next) return records
    after = `&after=${encodeURIComponent(page.next)}`
  }
  return records
}
