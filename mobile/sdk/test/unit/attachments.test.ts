/** Attaching by itself, with a network that fails in every way: no file is lost, none is sent twice or as somebody else's. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Database } from '@nozbe/watermelondb'

import { AttachmentError, Attachments, LoginNeeded } from '../../src'
import type { AttachmentItem, AttachmentsOptions, Session } from '../../src'
import { Turns } from '../../src/lock'
import { KINDS, deleted, open, rows } from '../support/database'
import type { Kind, Raw } from '../support/database'
import { Depot, photo, problem, sourceOf } from '../support/depot'
import { APP } from '../support/device'
import { Killer } from '../support/kill'
import { Random } from '../support/random'

const random = new Random()

/** One phone: its files and its database outlive the app. */
class Desk {
  user: string | null = 'asha'
  /** Whose tokens requests are sent with, if somebody has just logged in. */
  speaking: string | null = null
  readonly depot = new Depot()
  readonly files = new Map<string, Uint8Array>()
  readonly uploaded: string[] = []
  app: Attachments

  private constructor(
    readonly database: Database,
    private readonly options: Partial<AttachmentsOptions>,
  ) {
    this.app = this.start(database)
  }

  static async of(kind: Kind, options: Partial<AttachmentsOptions> = {}): Promise<Desk> {
    return new Desk(await open(kind, APP), options)
  }

  /** Start the app anew. */
  start(database = this.database): Attachments {
    const session = {
      identity: async () => this.user && { orgId: 'o', userId: this.user, sessionId: 's', deviceId: 'd' },
      headers: async () => ({}),
      personOf: () => ({ orgId: 'o', userId: this.speaking ?? this.user, sessionId: 's', deviceId: 'd' }),
      renew: async () => false,
    } as unknown as Session
    const attachments: AttachmentsOptions = {
      open: async (file) => sourceOf(this.files.get(file) ?? (await Promise.reject(new Error(`There is no ${file}.`)))),
      onUploaded: ({ file }) => void this.uploaded.push(file),
      backoffMs: { first: 1, longest: 4 },
      ...this.options,
    }
    return (this.app = new Attachments(database, session, { url: 'http://erp', fetch: this.depot.fetch, lock: new Turns(), attachments }))
  }

  async add(file: string, size = 100_000): Promise<string> {
    this.files.set(file, photo(random, size))
    return this.app.add({ file, inspectionId: 'i1' })
  }

  /** What a sync does to the records. */
  async sync(): Promise<void> {
    for (const { id } of await rows(this.database, 'attachments')) await this.write(id, { _status: 'synced', _changed: '' })
    this.app.synced()
  }

  async write(id: string, raw: Record<string, unknown>): Promise<void> {
    await this.database.write(async () => {
      const record = await this.database.get('attachments').find(id)
      const edited = record.prepareUpdate()
      Object.assign(record._raw, raw)
      await this.database.batch(edited)
    })
  }

  async gone(id: string): Promise<void> {
    await this.database.write(async () => (await this.database.get('attachments').find(id)).destroyPermanently())
  }

  async only(): Promise<AttachmentItem> {
    const items = await this.app.items()
    assert.equal(items.length, 1)
    return items[0] as AttachmentItem
  }

  /** Wait until the queue is as wanted; a listener hears of each change. */
  until(wanted: (items: AttachmentItem[]) => boolean): Promise<void> {
    return new Promise((done) => {
      const stop = this.app.subscribe((items) => {
        if (wanted(items)) setTimeout(() => (stop(), done()))
      })
    })
  }

  assertThere(id: string, file: string): void {
    assert.ok(this.depot.bytesOf(id).equals(this.files.get(file) as Uint8Array), `${file} is there`)
    assert.equal(this.depot.held.get(id)?.verified, true)
  }
}

for (const kind of KINDS) {
  describe(`attachments (${kind})`, () => {
    it('are recorded as they are, and sent when their records are at the server', async () => {
      const desk = await Desk.of(kind)
      const id = await desk.add('a.jpg')
      await desk.app.upload()
      assert.deepEqual(desk.depot.asked, [])
      const [row] = await rows(desk.database, 'attachments')
      const { media_type, size_bytes, state, kind: what, inspection_id, partner_id } = row as Raw
      assert.deepEqual([media_type, size_bytes, state, what, inspection_id, partner_id], ['image/jpeg', 100_000, 'declared', 'photo', 'i1', null])

      await desk.sync()
      await desk.app.upload()
      desk.assertThere(id, 'a.jpg')
      assert.deepEqual([await desk.app.items(), desk.uploaded], [[], ['a.jpg']])
    })

    it('that cannot be attached are refused at once, and leave nothing behind', async () => {
      const desk = await Desk.of(kind)
      desk.files.set('a.heic', Uint8Array.from(Buffer.from('....ftypheic')))
      desk.files.set('empty.jpg', new Uint8Array())
      desk.files.set('a.jpg', photo(random, 10))
      const refused = (code: string) => (error: unknown) => error instanceof AttachmentError && error.code === code
      await assert.rejects(desk.app.add({ file: 'a.heic', tradeId: 't1' }), refused('wrong_type'))
      await assert.rejects(desk.app.add({ file: 'empty.jpg', tradeId: 't1' }), refused('empty'))
      await assert.rejects(desk.app.add({ file: 'a.jpg' } as never), refused('of_one_record'))
      await assert.rejects(desk.app.add({ file: 'a.jpg', tradeId: 't1', partnerId: 'p1' } as never), refused('of_one_record'))
      await assert.rejects(desk.app.add({ file: 'nowhere.jpg', tradeId: 't1' }), /There is no nowhere/)
      desk.user = null
      await assert.rejects(desk.app.add({ file: 'a.jpg', tradeId: 't1' }), LoginNeeded)
      desk.user = 'asha'

      assert.deepEqual([await desk.app.items(), await rows(desk.database, 'attachments')], [[], []])
    })

    it('wait through restarts, cut connections and lost answers, and each byte counts once', async () => {
      const desk = await Desk.of(kind)
      const ids = [await desk.add('a.jpg', 300_000), await desk.add('b.jpg', 200_000), await desk.add('c.jpg', 1000)]
      await desk.sync()
      desk.depot.mishap = () => random.pick(['none', 'none', 'cut', 'lost', 'damaged'] as const)
      for (let run = 0; (await desk.app.items()).length > 0; run += 1) {
        assert.ok(run < 500)
        desk.start()
        await desk.app.upload()
      }
      ids.forEach((id, place) => desk.assertThere(id, ['a.jpg', 'b.jpg', 'c.jpg'][place] as string))
      assert.deepEqual([desk.depot.taken, desk.depot.most], [501_000, 1])
      assert.deepEqual(desk.uploaded.sort(), ['a.jpg', 'b.jpg', 'c.jpg'])
    })

    it('are tried again by themselves, later each time, and none waits for another that fails', async () => {
      const desk = await Desk.of(kind)
      const [bad, good] = [await desk.add('bad.jpg'), await desk.add('good.jpg')]
      await desk.sync()
      let failures = 6
      const passing = [{ status: 403 }, problem(400, 'body_incomplete'), problem(429, 'too_many_requests')]
      desk.depot.instead = (_, id) => (id === bad && failures-- > 0 ? (passing.shift() ?? problem(500, 'internal_error')) : null)
      desk.app.start()
      await desk.until((items) => items.length === 0)
      desk.app.stop()
      desk.assertThere(bad, 'bad.jpg')
      desk.assertThere(good, 'good.jpg')
      assert.deepEqual(desk.uploaded, ['good.jpg', 'bad.jpg'])
    })

    it('do not starve behind one that the network never lets through', async () => {
      const desk = await Desk.of(kind)
      const [bad, good] = [await desk.add('bad.jpg'), await desk.add('good.jpg')]
      await desk.sync()
      desk.depot.mishap = (_, id) => (id === bad ? 'cut' : 'none')
      await desk.app.upload()
      await desk.app.upload()
      desk.assertThere(good, 'good.jpg')
      assert.equal((await desk.only()).reason?.code, 'network')
    })

    it('rest at once when the app stops, whatever was to come next', async () => {
      const desk = await Desk.of(kind)
      await desk.add('a.jpg')
      await desk.sync()
      desk.depot.mishap = () => (desk.app.synced(), desk.app.stop(), 'none')
      desk.app.start()
      await desk.until((items) => items.some(({ state }) => state === 'uploading'))
      await desk.until((items) => items.every(({ state }) => state === 'waiting'))
      for (let tick = 0; tick < 20; tick += 1) await new Promise((done) => setTimeout(done))
      assert.equal(desk.depot.asked.length, 1)
    })

    it('that no repetition helps stay, with the reason, until a person has decided', async () => {
      const desk = await Desk.of(kind)
      for (const [status, code] of [[413, 'quota_reached'], [413, 'attachment_too_large'], [422, 'wrong_length'], [422, 'bytes_refused']] as const) {
        const id = await desk.add(`${code}.jpg`, 1000)
        await desk.sync()
        desk.depot.instead = () => problem(status, code)
        await desk.app.upload()
        const asked = desk.depot.asked.length
        await desk.app.upload()
        const { state, reason } = await desk.only()
        assert.deepEqual([state, reason], ['failed', { code, message: `It is ${code}.` }])
        assert.equal(desk.depot.asked.length, asked, 'it is not tried again')

        desk.depot.instead = () => null
        await desk.app.retry(id)
        await desk.app.upload()
        desk.assertThere(id, `${code}.jpg`)
      }
      const id = await desk.add('unwanted.jpg')
      await desk.app.remove(id)
      assert.deepEqual(await desk.app.items(), [])
      assert.equal((await rows(desk.database, 'attachments')).some((row) => row.id === id), false)
      assert.deepEqual(await deleted(desk.database, 'attachments'), [id])
    })

    it('are there already, or known to be, and nothing is sent', async () => {
      const desk = await Desk.of(kind)
      const [told, known] = [await desk.add('told.jpg'), await desk.add('known.jpg')]
      await desk.sync()
      desk.depot.instead = (_, id) => (id === told ? problem(409, 'already_uploaded') : assert.fail('it is verified'))
      await desk.write(known, { state: 'verified' })
      await desk.app.upload()
      assert.deepEqual([await desk.app.items(), desk.depot.taken], [[], 0])
    })

    it('are sent by nobody but who attached them', async () => {
      const desk = await Desk.of(kind)
      const id = await desk.add('a.jpg')
      await desk.sync()
      desk.user = 'ravi'
      await desk.app.upload()
      assert.deepEqual([desk.depot.asked, await desk.app.items()], [[], []])
      ;[desk.user, desk.speaking] = ['asha', 'ravi'] // who logs in just now
      await desk.app.upload()
      assert.deepEqual([desk.depot.asked, (await desk.only()).reason?.code], [[], 'session_changed'])
      desk.speaking = null
      await desk.app.upload()
      desk.assertThere(id, 'a.jpg')
    })

    it('whose record is gone are kept, and go on when it is back', async () => {
      const desk = await Desk.of(kind)
      const id = await desk.add('a.jpg')
      const [row] = await rows(desk.database, 'attachments')
      await desk.gone(id)
      await desk.app.upload()
      assert.equal((await desk.only()).reason?.code, 'record_missing')

      await desk.database.write(() => desk.database.get('attachments').create((record) => Object.assign(record._raw, row, { _status: 'synced' })))
      await desk.sync()
      await desk.app.upload()
      desk.assertThere(id, 'a.jpg')
    })

    it('that are not what they were, or cannot be opened, are said to be so', async () => {
      const desk = await Desk.of(kind)
      await desk.add('a.jpg')
      await desk.sync()
      const bytes = desk.files.get('a.jpg') as Uint8Array
      desk.files.set('a.jpg', bytes.slice(1))
      await desk.app.upload()
      assert.equal((await desk.only()).reason?.code, 'file_changed')
      desk.files.delete('a.jpg')
      await desk.app.retry((await desk.only()).id)
      await desk.app.upload()
      assert.deepEqual((await desk.only()).reason, { code: 'file_unreadable', message: 'There is no a.jpg.' })

      desk.files.set('a.jpg', bytes)
      desk.start().start()
      await desk.until((items) => items.length === 0)
      desk.app.stop()
    })

    it('rest while they are told to, also after a restart', async () => {
      const desk = await Desk.of(kind)
      const id = await desk.add('a.jpg', 400_000)
      await desk.sync()
      let parts = 0
      desk.depot.mishap = (method) => {
        if (method === 'PATCH' && (parts += 1) === 2) void desk.app.pause()
        return 'none'
      }
      await desk.app.upload()
      assert.ok(desk.depot.taken < 400_000)
      const { taken } = desk.depot
      desk.start().start()
      await desk.app.upload()
      assert.equal(desk.depot.taken, taken)

      await desk.app.resume()
      await desk.until((items) => items.length === 0)
      desk.app.stop()
      desk.assertThere(id, 'a.jpg')
      assert.equal(desk.depot.taken, 400_000)
    })

    it('rest without a network and in the background, and go on at once when it is back', async () => {
      let [network, foreground] = [(_: boolean) => undefined as void, (_: boolean) => undefined as void]
      const surroundings = {
        onNetwork: (heard: (online: boolean) => void) => ((network = heard), () => undefined),
        onForeground: (heard: (active: boolean) => void) => ((foreground = heard), () => undefined),
      }
      const desk = await Desk.of(kind, { ...surroundings, backoffMs: { first: 3_600_000, longest: 3_600_000 } })
      const id = await desk.add('a.jpg')
      await desk.sync()
      desk.depot.mishap = () => 'cut'
      desk.app.start()
      await desk.until((items) => items.some(({ retryAt }) => retryAt !== null))
      network(false)
      foreground(false)
      desk.depot.mishap = () => 'none'
      network(true)
      desk.app.synced()
      assert.equal((await desk.app.items()).length, 1)
      foreground(true)
      await desk.until((items) => items.length === 0)
      desk.app.stop()
      desk.assertThere(id, 'a.jpg')
    })

    it('are as many at a time as the app allows', async () => {
      const desk = await Desk.of(kind, { atOnce: 3 })
      for (const name of ['a', 'b', 'c', 'd']) await desk.add(`${name}.jpg`)
      await desk.sync()
      await desk.app.upload()
      assert.deepEqual([desk.depot.most, desk.uploaded.length], [3, 4])
    })

    it('of which the app could not be told are told again, and not sent again', async () => {
      let broken = true
      const told: string[] = []
      const onUploaded = ({ file }: { file: string }): Promise<void> | void => {
        if (broken) return new Promise(() => undefined) // killed over it
        told.push(file)
      }
      const desk = await Desk.of(kind, { onUploaded })
      await desk.add('a.jpg')
      await desk.sync()
      void desk.app.upload()
      await desk.until((items) => items.some(({ state }) => state === 'done'))
      broken = false
      desk.files.clear() // the app had got so far
      desk.start()
      await desk.app.upload()
      assert.deepEqual([told, desk.depot.taken, await desk.app.items()], [['a.jpg'], 100_000, []])
    })
  })
}

describe('an app that is killed while it attaches a file', () => {
  for (const done of [false, true]) {
    it(`has attached it as a whole or not at all (killed ${done ? 'after' : 'before'} each write)`, async () => {
      let killed = true
      let step = 1
      for (; killed; step += 1) {
        const desk = await Desk.of('loki')
        const killer = new Killer(step, done)
        killer.watch(desk.database)
        killed = await Promise.race([desk.add('a.jpg', 1000).then(() => false), killer.death.then(() => true)])
        const { entries, records } = await afterwards(desk)
        assert.equal(entries, records, `killed ${done ? 'after' : 'before'} step ${step}`)
      }
      assert.equal(step, 5, 'three writes: the place in the queue, the record, that it was made')
    })
  }

  /** Open what is on disk with another app. */
  async function afterwards(desk: Desk): Promise<{ entries: number; records: number }> {
    const adapter = desk.database.adapter.underlyingAdapter as unknown as { _driver: { loki: { saveDatabase(done: () => void): void } }; testClone(options: object): Promise<never> }
    await new Promise<void>((saved) => adapter._driver.loki.saveDatabase(saved))
    const { Database: Reopened } = await import('@nozbe/watermelondb')
    const database = new Reopened({ adapter: await adapter.testClone(APP), modelClasses: APP.modelClasses })
    const app = desk.start(database)
    await app.upload()
    return { entries: (await app.items()).length, records: (await rows(database, 'attachments')).length }
  }
})
