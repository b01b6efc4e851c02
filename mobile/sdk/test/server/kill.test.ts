/**
 * The app is killed before and after each write and each request of a sync, opened again on the same file, and used at once.
 * Nothing that was acknowledged is lost, nothing is counted twice, nothing is silently gone.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { Turns } from '../../src/lock'
import { open } from '../support/database'
import { APP } from '../support/device'
import { create, remove, update } from '../support/edits'
import { Killer } from '../support/kill'
import { Phone, assertInSync, keychain } from '../support/phone'
import { Random } from '../support/random'
import { createSamples, partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'
const STEPS_MAX = 40

interface Story {
  lot: string
  made: string
  edited: string
  removed: string
  refused: string
  wanted: string
}

describe('an app that is killed while it syncs', () => {
  let folder: string
  let other: Phone
  let branch: string

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cotton-kill-'))
    other = await Phone.of('agent2')
    await other.sync()
    const [known] = await other.rows(table)
    branch = String(known?.['branch_id'])
  })
  after(() => rmSync(folder, { recursive: true }))

  /** What both phones know before the day begins. */
  async function prepare(): Promise<Story> {
    const samples = await createSamples(other as never, random)
    const story = { lot: samples.availabilities, made: random.id(), edited: random.id(), removed: random.id(), refused: random.id(), wanted: random.id() }
    for (const id of [story.edited, story.removed, story.refused, story.wanted]) await create(other.database, table, id, partner(branch, `Partner ${id}`))
    await other.sync()
    return story
  }

  /** What happens to it on both sides, out of sight of each other. */
  async function part(phone: Phone, story: Story): Promise<void> {
    await update(other.database, 'availabilities', story.lot, { bales_reserved: 20 })
    await update(other.database, table, story.edited, { pincode: '360001' })
    await update(other.database, table, story.wanted, { trade_name: 'Still needed' })
    await other.sync()
    await update(phone.database, 'availabilities', story.lot, { bales_reserved: 7 })
    await create(phone.database, table, story.made, partner(branch, 'Made in the field'))
    await update(phone.database, table, story.edited, { trade_name: 'Edited in the field' })
    await update(phone.database, table, story.refused, { phone: '12345' })
    await remove(phone.database, table, story.removed)
    await remove(phone.database, table, story.wanted)
  }

  async function check(phone: Phone, story: Story): Promise<void> {
    await phone.sync()
    await other.sync()
    for (const each of [phone, other]) {
      const [lot, made, edited] = [await each.row('availabilities', story.lot), await each.row(table, story.made), await each.row(table, story.edited)]
      assert.equal(lot?.['bales_reserved'], 28)
      assert.equal(made?.['legal_name'], 'Made in the field')
      assert.deepEqual([edited?.['trade_name'], edited?.['pincode']], ['Edited in the field', '360001'])
      assert.equal(await each.row(table, story.removed), undefined)
      assert.equal((await each.row(table, story.refused))?.['phone'], null)
      assert.equal((await each.row(table, story.wanted))?.['trade_name'], 'Still needed')
    }
    const issues = await phone.cotton.inbox.fetch()
    for (const id of [story.refused, story.wanted]) assert.equal(issues.filter((issue) => issue.recordId === id).length, 1)
    await assertInSync(phone, other)
  }

  for (const done of [false, true]) {
    it(`goes on where it was (killed ${done ? 'after' : 'before'} each step)`, async () => {
      const [store, file] = [keychain(), join(folder, `${done}.db`)]
      let killed = true
      for (let at = 1; killed; at += 1) {
        assert.ok(at < STEPS_MAX, 'a sync has fewer steps')
        const story = await prepare()
        const phone = await Phone.of('agent1', { file, store, lock: new Turns() })
        await phone.sync()
        await part(phone, story)
        const killer = new Killer(at, done)
        killer.watch(phone.database)
        phone.network = killer.network
        killed = await Promise.race([phone.sync().then(() => false), killer.death.then(() => true)])

        const reopened = await Phone.of('agent1', { database: await open('sqlite', APP, file), store, lock: new Turns() })
        const lot = await reopened.row('availabilities', story.lot)
        await update(reopened.database, 'availabilities', story.lot, { bales_reserved: Number(lot?.['bales_reserved']) + 1 })
        await reopened.sync().catch((error: unknown) => assert.fail(`step ${at}: ${String(error)}`))
        await check(reopened, story).catch((error: Error) => {
          error.message = `killed ${done ? 'after' : 'before'} step ${at}: ${error.message}`
          throw error
        })
      }
    })
  }
})
