// What changes elsewhere appears here: a page says what it reads, and is read again.
// Owns: when that happens: at a hint of the live connection, and every few seconds while there is none.
// Must not know: what a page reads, how hints come (socket.js).
// Invariant: nothing is asked while the page is hidden or the last answer is still on its way.

import { isLive, whenHinted } from './socket.js'
import { useEffect, useRef, useState } from './vendor.js'

const SECONDS = 4
/** While there is a connection: what only time changes is read so often. */
const LIVE_SECONDS = 60

/** Read by `load` now, whenever `keys` change, and when something changed elsewhere. Gives [value, problem, again]. */
export function useLive(load, keys) {
  const [state, setState] = useState({ value: null, problem: null })
  const turn = useRef(0)
  const busy = useRef(false)
  const missed = useRef(false)
  const readAt = useRef(0)

  const read = async (mine) => {
    if (busy.current === mine) {
      missed.current = true // a hint that came with the answer on its way may be of what that lacks
      return
    }
    busy.current = mine
    missed.current = false
    readAt.current = Date.now()
    try {
      const value = await load()
      const text = JSON.stringify(value)
      if (turn.current === mine) {
        setState((now) => (now.text === text && !now.problem ? now : { value, text, problem: null }))
      }
    } catch (problem) {
      if (turn.current === mine) setState((now) => ({ ...now, problem }))
    } finally {
      if (busy.current === mine) busy.current = false
      if (missed.current && turn.current === mine) read(mine)
    }
  }

  useEffect(() => {
    const mine = ++turn.current
    setState({ value: null, problem: null })
    read(mine)
    const seen = () => document.visibilityState === 'visible' && read(mine)
    const isDue = () => Date.now() - readAt.current > (isLive() ? LIVE_SECONDS : SECONDS) * 1000 - 500
    const timer = setInterval(() => isDue() && seen(), SECONDS * 1000)
    const deaf = whenHinted(seen)
    document.addEventListener('visibilitychange', seen)
    return () => {
      turn.current++
      deaf()
      clearInterval(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, keys)

  return [state.value, state.problem, () => read(turn.current)]
}
