/** Against a real server: an edit elsewhere reaches a phone's database without anybody calling `sync`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { LiveConnection } from '../../src'
import { serverUrl } from '../support/device'
import { create, update } from '../support/edits'
import { Phone } from '../support/phone'
import { Random } from '../support/random'
import { partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'
const SOON_MS = 10_000

async function until(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + SOON_MS
  while (!(await is())) {
    assert.ok(Date.now() < deadline, `it did not happen: ${what}`)
    await new Promise((done) => setTimeout(done, 20))
  }
}

function liveOf(phone: Phone): LiveConnection {
  return new LiveConnection(phone.cotton, phone.database, { url: serverUrl(), debounceMs: 20, pollMs: 0, backoffMs: { first: 50, longest: 500 } })
}

describe('the live connection', () => {
  it('brings an edit of another phone into the database by itself', async () => {
    const [writer, reader] = [await Phone.of('agent1'), await Phone.of('agent2')]
    await writer.sync()
    await reader.sync()
    const live = liveOf(reader)
    live.start()
    await until('the connection is live', () => live.state === 'live')
    const [known] = await writer.rows(table)
    const id = random.id()
    await create(writer.database, table, id, partner(String(known?.['branch_id']), 'Live'))
    await writer.sync()
    await until('it is there', async () => (await reader.row(table, id)) !== undefined)

    await update(writer.database, table, id, { trade_name: 'Changed' })
    await writer.sync()
    await until('it is changed', async () => (await reader.row(table, id))?.['trade_name'] === 'Changed')
    live.stop()
  })

  it('pulls what happened while it was away', async () => {
    const [writer, reader] = [await Phone.of('agent1'), await Phone.of('agent2')]
    await writer.sync()
    await reader.sync()
    const live = liveOf(reader)
    live.start()
    await until('the connection is live', () => live.state === 'live')
    live.stop()
    const [known] = await writer.rows(table)
    const id = random.id()
    await create(writer.database, table, id, partner(String(known?.['branch_id']), 'Missed'))
    await writer.sync()
    assert.equal(await reader.row(table, id), undefined)

    live.start()
    await until('it is there', async () => (await reader.row(table, id)) !== undefined)
    live.stop()
  })

  it('does not sync for what it pushed itself', async () => {
    const phone = await Phone.of('agent1')
    await phone.sync()
    const live = liveOf(phone)
    live.start()
    await until('the connection is live', () => live.state === 'live')
    await new Promise((done) => setTimeout(done, 300))
    const [known] = await phone.rows(table)
    await create(phone.database, table, random.id(), partner(String(known?.['branch_id']), 'Own'))
    phone.requests = []
    await phone.sync()
    await new Promise((done) => setTimeout(done, 800))
    assert.deepEqual(phone.requests, ['POST /api/v1/sync/exchange'])
    live.stop()
  })

  it('stops when its user logs out', async () => {
    const phone = await Phone.of('agent1')
    await phone.sync()
    const live = liveOf(phone)
    live.start()
    await until('the connection is live', () => live.state === 'live')
    await phone.cotton.session.logout()
    await until('it is stopped', () => live.state === 'stopped')
  })
})
