/**
 * The numbers of this installation's pushes: a new one for each push, the same again for a repetition.
 *
 * By them the server finds out that a phone's backup was put onto a second phone (docs/PROTOCOL.md, "Devices"). The number is
 * kept with the installation's id, and not in the database: a database that is emptied must not make the numbers begin anew.
 *
 * Owns: the number. Must not know: what is pushed.
 * Invariant: a number is kept before it is used (test/unit/status.test.ts).
 */
import type { SecretStore } from './storage'

const KEY = 'cotton.push'

export class PushCounter {
  constructor(private readonly store: SecretStore) {}

  /** Give the number of the push with this id. */
  async numberOf(pushId: string): Promise<number> {
    const kept = await this.store.get(KEY)
    const { number, id } = kept ? (JSON.parse(kept) as { number: number; id: string }) : { number: 0, id: '' }
    if (id === pushId) return number
    await this.store.set(KEY, JSON.stringify({ number: number + 1, id: pushId }))
    return number + 1
  }
}
