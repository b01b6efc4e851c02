/** What an answer does to the phone, on a real WatermelonDB: rows, tombstones, what was edited meanwhile, and the cursor. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Database } from '@nozbe/watermelondb'
import { getLastPulledAt } from '@nozbe/watermelondb/sync/impl'

import { CursorMoved, receive } from '../../src/receive'
import type { Asked, Received } from '../../src/receive'
import { readUnsynced } from '../../src/unsynced'
import type { ExchangeAnswer } from '../../src/wire'
import { KINDS, complaints, deleted, open, rows } from '../support/database'
import type { Raw } from '../support/database'
import { APP } from '../support/device'
import { create, remove, update } from '../support/edits'

const table = 'availabilities'
const LOT = { bales_offered: 100, bales_reserved: 10, delivery_terms: 'ex gin', state: 'active' }

async function look(database: Database): Promise<Asked> {
  return { cursor: await getLastPulledAt(database), sent: await readUnsynced(database), resetCount: 0, schemaVersion: null }
}

/** A phone at cursor 5 that holds two lots. */
async function phone(kind: 'sqlite' | 'loki'): Promise<Database> {
  const database = await open(kind, APP)
  const created = ['a', 'b'].map((id) => ({ id, ...LOT }))
  await receive(database, await look(database), { changes: { [table]: { created } }, timestamp: 5, verdicts: [] })
  return database
}

async function row(database: Database, id: string): Promise<Raw | undefined> {
  return (await rows(database, table)).find((one) => one.id === id)
}

function answer(changes: NonNullable<ExchangeAnswer['changes']>[string], ...verdicts: [id: string, verdict: string, set?: object][]): ExchangeAnswer {
  const told = verdicts.map(([id, verdict, set]) => ({ table, id, verdict, ...(set ? { set } : {}) }))
  return { verdicts: told as NonNullable<ExchangeAnswer['verdicts']>, changes: { [table]: changes }, timestamp: 9 }
}

for (const kind of KINDS) {
  describe(`an answer (${kind})`, () => {
    it('makes what was taken clean, with what the server has otherwise', async () => {
      const database = await phone(kind)
      await update(database, table, 'a', { bales_reserved: 12 })
      const done = await receive(database, await look(database), answer({}, ['a', 'accepted', { updated_at: 77, number: 'L-1' }]))

      const { bales_reserved, updated_at, number, _status, _changed } = (await row(database, 'a')) as Raw
      assert.deepEqual([done, bales_reserved, updated_at, number, _status, _changed], ['applied', 12, 77, 'L-1', 'synced', ''])
      assert.equal(await getLastPulledAt(database), 9)
      assert.deepEqual(complaints, [])
    })

    it('drops the tombstone of a deletion that was taken, and brings back one that was not', async () => {
      const database = await phone(kind)
      for (const id of ['a', 'b']) await remove(database, table, id)
      await receive(database, await look(database), answer({ created: [{ id: 'b', ...LOT, bales_reserved: 50 }] }, ['a', 'accepted'], ['b', 'parked']))

      assert.deepEqual([await deleted(database, table), (await rows(database, table)).map(({ id }) => id)], [[], ['b']])
      assert.equal((await row(database, 'b'))?.['bales_reserved'], 50)
      assert.deepEqual(complaints, [])
    })

    it('puts what was edited since over the server row, with what was sent as its base', async () => {
      const database = await phone(kind)
      await update(database, table, 'a', { bales_reserved: 12 })
      const asked = await look(database)
      await update(database, table, 'a', { bales_reserved: 13, delivery_terms: 'delivered' })
      await receive(database, asked, answer({ updated: [{ id: 'a', ...LOT, bales_reserved: 32 }] }, ['a', 'merged']))

      const { bales_reserved, delivery_terms, _status, _changed } = (await row(database, 'a')) as Raw
      assert.deepEqual([bales_reserved, delivery_terms, _status], [33, 'delivered', 'updated'])
      assert.deepEqual(_changed.split(',').filter((column) => column !== 'updated_at').sort(), ['bales_reserved', 'delivery_terms'])
    })

    it('is not used when an edit was made of what it brings and was not sent', async () => {
      const database = await phone(kind)
      const asked = await look(database)
      await update(database, table, 'a', { bales_reserved: 11 })
      const outcomes: Received[] = []
      for (const changes of [{ updated: [{ id: 'a', ...LOT, bales_reserved: 20 }] }, { deleted: ['a'] }]) outcomes.push(await receive(database, asked, answer(changes)))

      assert.deepEqual(outcomes, ['edited', 'edited'])
      assert.deepEqual([(await row(database, 'a'))?.['bales_reserved'], await getLastPulledAt(database)], [11, 5])
    })

    it('is not used when what was deleted meanwhile was changed by others', async () => {
      const database = await phone(kind)
      const asked = await look(database)
      await remove(database, table, 'a')

      assert.equal(await receive(database, asked, answer({ updated: [{ id: 'a', ...LOT }] })), 'edited')
      assert.deepEqual(await deleted(database, table), ['a'])
    })

    it('is not used where only the server can decide between it and a later edit', async () => {
      const database = await phone(kind)
      await update(database, table, 'a', { delivery_terms: 'at the port' })
      const asked = await look(database)
      await update(database, table, 'a', { state: 'reserved' })

      assert.equal(await receive(database, asked, answer({ updated: [{ id: 'a', ...LOT, state: 'cancelled' }] }, ['a', 'merged'])), 'edited')
      assert.equal((await row(database, 'a'))?.['state'], 'reserved')
    })

    it('does not destroy a refused row that was edited since', async () => {
      const database = await phone(kind)
      await create(database, table, 'new', { ...LOT, bales_reserved: 500 })
      const asked = await look(database)
      await update(database, table, 'new', { bales_reserved: 5 })
      await receive(database, asked, answer({ deleted: ['new'] }, ['new', 'refused']))
      assert.deepEqual([(await row(database, 'new'))?.['bales_reserved'], (await row(database, 'new'))?._status], [5, 'created'])

      await receive(database, await look(database), { ...answer({ deleted: ['new'] }, ['new', 'refused']), timestamp: 11 })
      assert.equal(await row(database, 'new'), undefined)
    })

    it('replaces everything but what the server has not heard of', async () => {
      const database = await phone(kind)
      await update(database, table, 'a', { bales_reserved: 11 })
      const asked = await look(database)
      await create(database, table, 'new', LOT)
      await update(database, table, 'a', { bales_reserved: 12 })
      await receive(database, asked, { ...answer({ updated: [{ id: 'c', ...LOT }] }, ['a', 'refused']), experimentalStrategy: 'replacement' })

      assert.deepEqual((await rows(database, table)).map(({ id, _status }) => [id, _status]), [['a', 'updated'], ['c', 'synced'], ['new', 'created']])
    })

    it('takes everything as sent when a phone is being emptied, and leaves the cursor', async () => {
      const database = await phone(kind)
      await update(database, table, 'a', { bales_reserved: 11 })
      await remove(database, table, 'b')
      await receive(database, await look(database), {})

      assert.deepEqual([(await row(database, 'a'))?._status, await deleted(database, table), await getLastPulledAt(database)], ['synced', [], 5])
    })

    it('is not written over another sync', async () => {
      const database = await phone(kind)
      const asked = await look(database)
      await receive(database, asked, answer({}))
      await assert.rejects(receive(database, asked, answer({})), CursorMoved)
    })
  })
}
