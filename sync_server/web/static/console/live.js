// What changes elsewhere appears here: a page says what it reads, and is read again.
// Owns: when that happens. The only module to change when hints come over a WebSocket instead.
// Must not know: what a page reads.
// Invariant: nothing is asked while the page is hidden or the last answer is still on its way.

import { useEffect, useRef, useState } from './vendor.js'

const SECONDS = 4

/** Read by `load` now, whenever `keys` change, and every few seconds while visible. Gives [value, problem, again]. */
export function useLive(load, keys) {
  const [state, setState] = useState({ value: null, problem: null })
  const turn = useRef(0)
  const busy = useRef(false)

  const read = async (mine) => {
    if (busy.current === mine) return
    busy.current = mine
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
    }
  }

  useEffect(() => {
    const mine = ++turn.current
    setState({ value: null, problem: null })
    read(mine)
    const seen = () => document.visibilityState === 'visible' && read(mine)
    const timer = setInterval(seen, SECONDS * 1000)
    document.addEventListener('visibilitychange', seen)
    return () => {
      turn.current++
      clearInterval(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, keys)

  return [state.value, state.problem, () => read(turn.current)]
}
