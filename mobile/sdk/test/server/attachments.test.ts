/**
 * Photos attached without a signal reach a real server, over a connection that is cut wherever it hurts, with tokens that expire and
 * an app that is killed again and again. Afterwards the server has verified them all, and only then is the inspection accepted.
 *
 * The files are those of COTTON_TEST_FILES; tests/acceptance/test_sdk_attachments.py looks at what the server hands out.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { DEFAULTS } from '../../src'
import { Turns } from '../../src/lock'
import { Cutter } from '../support/cutter'
import { serverUrl } from '../support/device'
import { create, update } from '../support/edits'
import { openFile } from '../support/files'
import { Killer } from '../support/kill'
import { Offline, Phone, assertInSync, keychain } from '../support/phone'
import { Random } from '../support/random'
import { createSamples } from '../support/samples'

const random = new Random()
const table = 'quality_inspections'
const RUNS_MAX = 400
const EXPIRED = JSON.stringify({ code: 'token_expired', detail: 'The token has expired.' })

describe('attachments', () => {
  const files = process.env['COTTON_TEST_FILES'] ?? assert.fail('COTTON_TEST_FILES names a folder of pictures')
  const paths = readdirSync(files).map((name) => join(files, name))
  const store = keychain()
  const uploaded: string[] = []
  const inspection = random.id()
  let folder: string
  let cutter: Cutter

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cotton-attachments-'))
    cutter = await Cutter.before(serverUrl())
  })
  after(async () => {
    await cutter.close()
    rmSync(folder, { recursive: true })
  })

  /** The app, started on what is on disk. */
  function start(): Promise<Phone> {
    const attachments = { open: openFile, onUploaded: ({ file }: { file: string }) => void uploaded.push(file), backoffMs: { first: 1, longest: 2 } }
    return Phone.of('agent1', { url: cutter.url, file: join(folder, 'phone.db'), store, lock: new Turns(), attachments })
  }

  async function accept(phone: Phone): Promise<unknown> {
    await update(phone.database, table, inspection, { state: 'accepted' })
    await phone.sync()
    return (await phone.row(table, inspection))?.['state']
  }

  it('are declared with their records, and proof of nothing until they are there', async () => {
    const phone = await start()
    await phone.sync()
    const { availabilities } = await createSamples(phone as never, random)
    phone.network = () => Promise.reject(new Offline())
    const found = { availability_id: availabilities, bale_numbers: '["7"]', grade: 'A', inspected_at: Date.now() }
    await create(phone.database, table, inspection, { ...DEFAULTS.quality_inspections, ...found })
    for (const file of paths) await phone.cotton.attachments.add({ file, inspectionId: inspection, capturedAt: new Date() })
    await phone.cotton.attachments.upload()
    assert.deepEqual((await phone.cotton.attachments.items()).map(({ file, state }) => [file, state]), paths.map((file) => [file, 'waiting']))
    assert.equal((await phone.cotton.safeToLogout()).uploads, paths.length)

    phone.network = (next) => next()
    await phone.sync()
    await update(phone.database, table, inspection, { state: 'submitted' })
    await phone.sync()
    assert.equal(await accept(phone), 'submitted')
    const issues = (await phone.cotton.inbox.fetch()).filter((issue) => issue.recordId === inspection)
    assert.deepEqual(issues.map(({ reasonCode }) => reasonCode), ['evidence_missing'])
  })

  it('arrive, wherever the connection is cut and whenever the app is killed', async () => {
    let kills = 0
    for (let run = 0; ; run += 1) {
      assert.ok(run < RUNS_MAX, 'they arrive')
      cutter.up = cutter.down = Infinity
      const phone = await start()
      if ((await phone.cotton.attachments.items()).length === 0) break
      cutter.up = random.chance(0.5) ? random.below(200_000) : Infinity
      cutter.down = random.chance(0.2) ? random.below(2000) : Infinity
      const killer = new Killer(1 + random.below(12), random.chance(0.5))
      killer.watch(phone.database)
      const isExpired = (url: string): boolean => !url.includes('/auth/') && random.chance(0.1)
      phone.network = async (next, url, options) => (isExpired(url) ? { status: 401, text: async () => EXPIRED } : killer.network(next, url, options))
      if (await Promise.race([phone.cotton.attachments.upload().then(() => false), killer.death.then(() => true)])) kills += 1
    }
    assert.ok(cutter.cuts > 0 && kills > 0, `${cutter.cuts} cuts, ${kills} kills`)
    assert.deepEqual([...new Set(uploaded)].sort(), [...paths].sort())
  })

  it('are verified then, and the inspection is accepted', async () => {
    const phone = await start()
    await phone.sync()
    const shown = (await phone.rows('attachments')).filter((row) => row['inspection_id'] === inspection)
    assert.deepEqual(shown.map((row) => row['state']), paths.map(() => 'verified'))
    assert.equal(await accept(phone), 'accepted')
    assert.equal((await phone.cotton.safeToLogout()).uploads, 0)
    await assertInSync(phone)
  })
})
