/**
 * Several phones at random, on a bad network: edits, clashes, lost and doubled requests. In the end all hold the same rows.
 *
 * COTTON_TEST_SEED plays a run again.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'

import { TABLES } from '../../src'
import { Cutter } from '../support/cutter'
import type { Kind } from '../support/database'
import { Device, OWN, assertQuiet, branchOf, contents, serverUrl } from '../support/device'
import type { Fault } from '../support/device'
import { create, remove, update } from '../support/edits'
import { Random } from '../support/random'
import { NOTE, WRITABLE, createSamples, note, partner } from '../support/samples'
import type { Writable } from '../support/samples'

const random = new Random()
const STEPS = Number(process.env['COTTON_TEST_STEPS'] ?? 250)
const USERS: [string, Kind][] = [
  ['agent1', 'sqlite'],
  ['agent2', 'loki'],
  ['agent3', 'sqlite'],
  ['agent4', 'loki'],
  ['manager', 'sqlite'],
]

/** Columns that two phones may fight over. */
const FOUGHT_OVER = ['trade_name', 'address', 'remarks', 'email']

/** How the syncs ended: shown with a failure, to see what the run was made of. */
const outcomes = new Map<string, number>()

async function act(device: Device, made: string[]): Promise<void> {
  const { database } = device
  const roll = random.next()
  if (roll < 0.25) {
    const id = random.id()
    await create(database, 'business_partners', id, partner(await branchOf(device), `Partner ${made.length}`))
    made.push(id)
  } else if (roll < 0.6 && made.length) {
    const text = `${random.below(1000)}@example.in`
    await update(database, 'business_partners', random.pick(made), { [random.pick(FOUGHT_OVER)]: text })
  } else if (roll < 0.68 && made.length) {
    await remove(database, 'business_partners', random.pick(made))
  } else if (roll < 0.75 && made.length) {
    const kind = random.pick(['owner', 'accounts', 'other'])
    const values = { partner_id: random.pick(made), kind, is_primary: false, name: `Contact ${random.below(100)}` }
    await create(database, 'partner_contacts', random.id(), values)
  } else {
    const table: Writable = random.pick(WRITABLE)
    const rows = await device.rows(table)
    if (rows.length) await update(database, table, random.pick(rows).id, { [NOTE[table]]: note(table, `n${random.below(99)}`) })
  }
}

/** Two phones change the same column of the same record and sync at the same moment. */
async function duel(devices: Device[], made: string[]): Promise<void> {
  const [id, column] = [random.pick(made), random.pick(FOUGHT_OVER)]
  for (const device of devices) {
    await update(device.database, 'business_partners', id, { [column]: `${device.username}${random.below(1000)}@example.in` })
  }
}

async function badSync(device: Device, cutter: Cutter): Promise<void> {
  const fault = (): Fault => random.pick(['none', 'none', 'none', 'lost', 'doubled'])
  device.faults = { GET: fault(), POST: fault() }
  const cut = (): number => (random.chance(0.1) ? random.below(4000) : Infinity)
  ;[cutter.up, cutter.down] = [cut(), cut()]
  const outcome = await device.sync().then(
    () => 'done',
    (error: Error & { code?: string }) => error.code ?? error.name,
  )
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
}

async function heal(devices: Device[]): Promise<void> {
  for (const device of devices) device.faults = { GET: 'none', POST: 'none' }
  for (let round = 0; round < 3; round += 1) for (const device of devices) await device.syncTwice()
}

describe('phones on a bad network', () => {
  it('converge', async () => {
    const cutter = await Cutter.before(serverUrl())
    after(() => cutter.close())
    const devices: Device[] = []
    for (const [username, kind] of USERS) devices.push(await Device.of(username, { kind, url: cutter.url }))
    for (const device of devices) await device.sync()
    await createSamples(random.pick(devices), random)
    const made: string[] = []

    for (let step = 0; step < STEPS; step += 1) {
      const several = random.chance(0.4) ? [random.pick(devices), random.pick(devices)] : [random.pick(devices)]
      if (several.length > 1 && made.length && random.chance(0.7)) await duel(several, made)
      else for (const device of several) await act(device, made)
      if (several.length > 1 || random.chance(0.4)) await Promise.all([...new Set(several)].map((device) => badSync(device, cutter)))
    }
    ;[cutter.up, cutter.down] = [Infinity, Infinity]
    await heal(devices)
    console.log(Object.fromEntries(outcomes))

    const shared = TABLES.filter((table) => !OWN.includes(table))
    const fresh = await Device.of('admin')
    await fresh.sync()
    const truth = await contents(fresh, shared)
    for (const device of devices) assert.deepEqual(await contents(device, shared), truth, device.username)
    await assertQuiet(...devices, fresh)
  })
})
