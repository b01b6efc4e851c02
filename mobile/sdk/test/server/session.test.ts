/** Sessions, device keys and wipes, with a real server. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { describe, it } from 'node:test'

import { LoginNeeded, TABLES } from '../../src'
import type { Signer } from '../../src'
import { KINDS } from '../support/database'
import { serverUrl, token } from '../support/device'
import { create } from '../support/edits'
import { Offline, Phone, assertInSync, keychain } from '../support/phone'
import { Random } from '../support/random'
import { partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'

function signerOf(key: KeyObject, shown: KeyObject): Signer {
  return {
    publicKey: async () => shown.export({ format: 'pem', type: 'spki' }).toString(),
    sign: async (text) => new Uint8Array(sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' })),
  }
}

async function asManager<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${serverUrl()}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${await token('manager')}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  assert.ok(answer.ok, await answer.clone().text())
  return (answer.status === 204 ? null : await answer.json()) as T
}

/** Let this phone believe that its token is about to end. */
async function late<T>(work: () => Promise<T>, ms = 590_000): Promise<T> {
  const now = Date.now
  Date.now = () => now() + ms
  return work().finally(() => (Date.now = now))
}

async function branchOf(phone: Phone): Promise<string> {
  return String((await phone.rows(table))[0]?.['branch_id'])
}

describe('an account', () => {
  it('says how one is told, where the phone is reached, and what one agrees to', async () => {
    const phone = await Phone.of('agent1')
    await phone.sync()
    const { account } = phone.cotton
    const wanted = await account.wish({ email: 'daily', daily_at: '18:30' })
    assert.deepEqual(await account.wishes(), wanted)
    assert.equal(wanted.quiet_from, '21:00')
    await account.reachBy('expo', 'ExponentPushToken[x]')
    await account.reachBy('fcm', 'another')
    await account.unreach()
    const { purposes } = await account.consents()
    const [where] = purposes
    assert.ok(where)
    const said = await account.say('location', true, where.version)
    assert.equal(said.purposes[0]?.given, true)
    assert.equal((await account.say('location', false)).purposes[0]?.given, false)
    await assert.rejects(account.wish({ zone: 'Gondal' }), { code: 'invalid_value' })
  })
})

describe('a session', () => {
  it('is refreshed between two syncs, and when the answer to that is lost', async () => {
    const phone = await Phone.of('agent1')
    await phone.sync()
    let lost = 2
    phone.network = async (next, url) => {
      const answer = await next()
      if (url.endsWith('/refresh') && lost-- > 0) throw new Offline()
      return answer
    }
    phone.requests = []
    await late(() => phone.sync())
    assert.deepEqual(phone.requests.map((one) => one.split('/').pop()), ['refresh', 'refresh', 'refresh', 'exchange'])
    await assertInSync(phone)
  })

  it('is refreshed with a proof of the device key, and not without it', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const store = keychain()
    const phone = await Phone.of('agent1', { store, signer: signerOf(privateKey, publicKey) })
    await phone.sync()
    await late(() => phone.sync())

    const stolen = keychain()
    for (const [key, value] of store.kept) await stolen.set(key, value)
    const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const signer of [{}, { signer: signerOf(other, publicKey) }]) {
      const thief = await Phone.of('agent1', { store: stolen, ...signer })
      await assert.rejects(late(() => thief.sync(), 1_200_000), LoginNeeded)
    }
  })

  it('that ended elsewhere asks for a login, and loses nothing', async () => {
    const phone = await Phone.of('agent1')
    await phone.sync()
    const id = random.id()
    await create(phone.database, table, id, partner(await branchOf(phone), 'Unsent'))
    const sessionId = (await phone.cotton.session.identity())?.sessionId
    await asManager('DELETE', `/users/agent1/sessions/${sessionId}`)
    await assert.rejects(phone.sync(), LoginNeeded)
    assert.deepEqual([phone.cotton.status.phase, phone.cotton.status.pending], ['error', 1])

    await phone.login('agent1')
    await phone.sync()
    assert.equal((await phone.row(table, id))?._status, 'synced')
    await assertInSync(phone)
  })
})

for (const kind of KINDS) {
  describe(`a phone (${kind})`, () => {
    it('is emptied by order, after it has handed over what it had not sent', async () => {
      const device = { name: 'Lost phone' }
      const phone = await Phone.of('agent1', { kind, device })
      await phone.sync()
      const { deviceId } = (await phone.cotton.session.identity()) ?? assert.fail('logged in')
      const id = random.id()
      await create(phone.database, table, id, partner(await branchOf(phone), 'Made on the lost phone'))
      await asManager('POST', `/devices/${deviceId}/wipe`, {})
      await assert.rejects(async () => {
        for (let sync = 0; sync < 6; sync += 1) await phone.sync()
      }, { code: 'device_wiped' })

      for (const name of TABLES) assert.deepEqual(await phone.rows(name), [])
      assert.equal((await phone.cotton.safeToLogout()).safe, true)
      const { impounded } = await asManager<{ impounded: object[] }>('GET', `/devices/${deviceId}/impounded`)
      assert.equal(impounded.length, 1)
    })
  })
}
