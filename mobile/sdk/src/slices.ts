/**
 * An answer that comes in slices: what has arrived of it is kept on disk, so that neither a cut connection nor a kill costs more
 * than one slice.
 *
 * A first sync is written slice by slice: the server sends an agent's own work first, and there it is, while the rest is still
 * to come. Later answers are put together and written at once: rows of a newer moment beside an old cursor would make the next
 * edits look as if they had been made over what was there before.
 *
 * Owns: the slices on disk, and which is next. Must not know: requests.
 * Invariant: all slices are of one answer, and each is written once (test/server/slices.test.ts).
 */
import type { Database } from '@nozbe/watermelondb'
import { getLastPulledAt } from '@nozbe/watermelondb/sync/impl'

import { emptyTables } from './emptying'
import { receive } from './receive'
import type { Asked } from './receive'
import type { Raw } from './unsynced'
import { countRemote } from './wire'
import type { ExchangeAnswer, More, RemoteChanges, Verdict } from './wire'

/** What is kept beside the slices; `count`: how many are on disk. */
interface State {
  cursor: number | null
  sent: [table: string, rows: Raw[], deleted: string[]][]
  schemaVersion: number | null
  verdicts: Verdict[]
  count: number
  more: More | null
  arrived: { rows: number; bytes: number }
}

/** What was written of an answer. */
export interface Written {
  asked: Asked
  answer: ExchangeAnswer
  rows: number
}

const STATE = 'cotton.slices'

export class Slices {
  private state: State | null = null

  constructor(private readonly database: Database) {}

  /** How much of the answer is here. */
  get arrived(): { rows: number; bytes: number } {
    return this.state?.arrived ?? { rows: 0, bytes: 0 }
  }

  /** Whether an answer was begun, before the app was killed perhaps, that belongs to the cursor of now. */
  async begun(): Promise<boolean> {
    const text = await this.database.adapter.getLocal(STATE)
    this.state = text ? (JSON.parse(text) as State) : null
    if (this.state !== null && this.state.cursor !== (await getLastPulledAt(this.database))) await this.forget()
    return this.state !== null
  }

  /** Begin with the first slice. */
  async begin(asked: Asked, answer: ExchangeAnswer): Promise<void> {
    const sent = [...asked.sent].map(([table, { rows, deleted }]) => [table, [...rows.values()], [...deleted]] as State['sent'][number])
    const { cursor, schemaVersion } = asked
    const state = { cursor, sent, schemaVersion, verdicts: answer.verdicts ?? [], count: 0, more: null, arrived: { rows: 0, bytes: 0 } }
    await this.add(state, answer)
  }

  /** What to ask for next; null: everything is here. */
  async next(): Promise<More | null> {
    return this.state?.more ?? null
  }

  /** Take the slice that the token was for. */
  async take(token: string, slice: ExchangeAnswer): Promise<void> {
    if (this.state === null || this.state.more?.token !== token) throw new Error('a slice came that was not asked for')
    await this.add(this.state, slice)
  }

  private async add(state: State, slice: ExchangeAnswer): Promise<void> {
    const { adapter } = this.database
    if (state.cursor === null) await receive(this.database, this.asked(state), slice, { first: true })
    else await adapter.setLocal(keyOf(state.count), JSON.stringify(slice))
    const before = state.more
    const arrived = {
      rows: state.arrived.rows + countRemote(slice.changes),
      bytes: state.arrived.bytes + (before === null ? 0 : before.bytes - (slice.more?.bytes ?? 0)),
    }
    this.state = { ...state, count: state.count + 1, more: slice.more ?? null, arrived }
    await adapter.setLocal(STATE, JSON.stringify(this.state))
  }

  /** Write what has arrived, now that it is complete. Null: somebody edited meanwhile; exchange again from the same cursor. */
  async write(): Promise<Written | null> {
    const { state } = this
    if (state === null) return null
    const asked = this.asked(state)
    const done = { asked, answer: { verdicts: state.verdicts, timestamp: 0 }, rows: state.arrived.rows }
    if (state.cursor !== null && (await receive(this.database, asked, await this.whole(state))) === 'edited') {
      await this.forget()
      return null
    }
    await this.forget()
    return done
  }

  private async whole(state: State): Promise<ExchangeAnswer> {
    const changes: RemoteChanges = {}
    let last: ExchangeAnswer = {}
    for (let place = 0; place < state.count; place += 1) {
      last = JSON.parse((await this.database.adapter.getLocal(keyOf(place))) ?? '{}') as ExchangeAnswer
      for (const [table, lists] of Object.entries(last.changes ?? {})) {
        const all = (changes[table] ??= { created: [], updated: [], deleted: [] })
        all.created?.push(...(lists.created ?? []))
        all.updated?.push(...(lists.updated ?? []))
        all.deleted?.push(...(lists.deleted ?? []))
      }
    }
    const { verdicts } = state
    return { verdicts, changes, ...(last.timestamp === undefined ? {} : { timestamp: last.timestamp }) }
  }

  private asked({ cursor, sent, schemaVersion }: State): Asked {
    const tables = sent.map(([table, rows, deleted]) => {
      return [table, { rows: new Map(rows.map((row) => [row.id, row])), deleted: new Set(deleted) }] as const
    })
    const resetCount = (this.database as unknown as { _resetCount: number })._resetCount
    return { cursor, sent: new Map(tables), schemaVersion, resetCount }
  }

  /**
   * Give up an answer whose rest cannot be had any more. Of a first sync, what was written is taken away again, but for what is
   * unsynced: nobody will say which of it is deleted by the time that the next one is made.
   */
  async drop(): Promise<void> {
    const first = this.state !== null && this.state.cursor === null
    await this.forget()
    if (first) await emptyTables(this.database, { keepUnsynced: true })
  }

  private async forget(): Promise<void> {
    const { adapter } = this.database
    const count = this.state?.count ?? 0
    this.state = null
    await adapter.removeLocal(STATE)
    for (let place = 0; place < count; place += 1) await adapter.removeLocal(keyOf(place))
  }
}

function keyOf(place: number): string {
  return `cotton.slice.${place}`
}
