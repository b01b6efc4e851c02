// The live connection of this page: the server says when something changed, not what.
// Owns: the WebSocket, when it is opened again, and who hears of a hint.
// Must not know: what a page reads.
// Invariant: one socket at a time, and none without a listener; many hints are told as one; after a lost connection everybody is
// told once, since a hint may have been lost with it.

import { ask } from './api.js'

const PROTOCOL = 'cotton.live.v1'
const FIRST_MS = 1000
const LONGEST_MS = 60000
const DEBOUNCE_MS = 150
const GONE_QUIET = 2.5
const LINGER_MS = 2000

const hinted = new Set()
const watching = new Set()
let socket = null
let opening = false
let live = false
let failures = 0
let again = null
let quiet = null
let idle = null
let soon = null
let heartbeat = 25000

export const isLive = () => live

/** Call `told()` when something changed, until what is given back is called. */
export function whenHinted(told) {
  clearTimeout(idle)
  hinted.add(told)
  open()
  return () => {
    hinted.delete(told)
    if (!hinted.size) idle = setTimeout(close, LINGER_MS) // from page to page it stays
  }
}

/** Call `told(live)` when the connection comes or goes. */
export function whenLive(told) {
  watching.add(told)
  return () => watching.delete(told)
}

async function open() {
  if (socket || opening || again) return
  opening = true
  try {
    const { body } = await ask('POST', '/live/ticket', {})
    if (hinted.size) listen(new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/v1/live`, [PROTOCOL, `cotton.ticket.${body.ticket}`]))
  } catch (problem) {
    // Without a session there is nothing to wait for: the page that is shown after a login opens it again.
    if (problem.status !== 401) later()
  } finally {
    opening = false
  }
}

function listen(opened) {
  socket = opened
  watch()
  opened.onmessage = ({ data }) => heard(JSON.parse(data))
  opened.onclose = () => socket === opened && lost()
}

function heard(frame) {
  watch()
  if (frame.type === 'hello') {
    heartbeat = frame.heartbeat * 1000
    failures = 0
    become(true)
    tell()
  } else if (frame.type === 'hint') {
    tell()
  } else if (frame.type === 'expiring') {
    lost() // the next ticket is asked for with a newer token
  }
}

function tell() {
  soon ??= setTimeout(() => {
    soon = null
    hinted.forEach((told) => told())
  }, DEBOUNCE_MS * (1 + Math.random()))
}

/** A connection that says nothing for some heartbeats is gone. */
function watch() {
  clearTimeout(quiet)
  quiet = setTimeout(lost, heartbeat * GONE_QUIET)
}

function lost() {
  drop()
  later()
}

function later() {
  if (!hinted.size || again) return
  const bound = Math.min(FIRST_MS * 2 ** failures, LONGEST_MS)
  failures += 1
  again = setTimeout(() => {
    again = null
    open()
  }, bound * (0.5 + Math.random() / 2))
}

function close() {
  clearTimeout(again)
  again = null
  drop()
}

function drop() {
  clearTimeout(quiet)
  const gone = socket
  socket = null
  if (gone) {
    gone.onmessage = gone.onclose = null
    // A browser complains of one that is closed before it was open.
    if (gone.readyState === WebSocket.CONNECTING) gone.onopen = () => gone.close(1000)
    else gone.close(1000)
  }
  become(false)
}

function become(now) {
  if (live === now) return
  live = now
  watching.forEach((told) => told(now))
}
