/** Logging in with a code by phone, in one of several organisations, and with a second factor, with a real server. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { it } from 'node:test'

import { Session, SyncError, Transport } from '../../src'
import { serverUrl } from '../support/device'
import { HASTY, keychain } from '../support/phone'

function given(name: string): string {
  return process.env[`COTTON_TEST_${name}`] ?? assert.fail(`COTTON_TEST_${name} is set by tests/acceptance/test_sdk_session.py`)
}

const open = (): Session => new Session({ url: serverUrl(), ...HASTY, store: keychain(), device: { name: 'Moto G' } })
const refused = (code: string) => (error: unknown) => error instanceof SyncError && error.code === code

async function codeTo(number: string): Promise<string> {
  return (await fetch(`${given('INBOX')}/?to=${encodeURIComponent(number)}`)).text()
}

/** The code of an authenticator app, RFC 6238, `steps` of 30 s from now. */
function authenticator(secret: string, steps: number): string {
  const bits = [...secret].map((one) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(one).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps))
  const hash = createHmac('sha1', key).update(counter).digest()
  const start = (hash[19] ?? 0) & 15
  return String((hash.readUInt32BE(start) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

it('lets whoever has the phone in, once', async () => {
  const session = open()
  const { request_id, digits } = await session.requestCode(given('ASHA'))
  const code = await codeTo(given('ASHA'))
  assert.equal(code.length, digits)
  const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0')
  await assert.rejects(session.verifyCode({ request_id, code: wrong }), refused('wrong_code'))
  assert.equal(await session.identity(), null)

  const identity = await session.verifyCode({ request_id, code })
  assert.deepEqual(identity, await session.identity())
  assert.equal((await session.identity())?.userId, 'asha')
  await assert.rejects(session.verifyCode({ request_id, code }), refused('code_refused'))
  assert.equal((await session.identity())?.userId, 'asha')
})

it('lets who works for two organisations choose', async () => {
  const session = open()
  const { request_id } = await session.requestCode(given('RAVI'))
  const code = await codeTo(given('RAVI'))
  const offered = await session.verifyCode({ request_id, code })
  assert.ok('choose' in offered)
  assert.deepEqual(offered.choose.map(({ org_id }) => org_id).sort(), ['org.1', 'org.2'])
  assert.equal(await session.identity(), null)

  await session.verifyCode({ request_id, code, org_id: 'org.2' })
  const { orgId, userId } = (await session.identity()) ?? assert.fail('logged in')
  assert.deepEqual([orgId, userId], ['org.2', 'ravi2'])
})

it('asks for the second factor of who has one', async () => {
  const session = open()
  const credentials = { username: 'boss', password: given('PASSWORD') }
  await session.login(credentials)
  const api = new Transport({ url: serverUrl(), ...HASTY, authorizer: session })
  const { secret } = await api.post<{ secret: string }>('/api/v1/auth/totp', {})
  await api.post('/api/v1/auth/totp/confirm', { code: authenticator(secret, 0) })

  const other = open()
  await assert.rejects(other.login(credentials), refused('second_factor_needed'))
  await assert.rejects(other.login({ ...credentials, code: authenticator(secret, -9) }), refused('wrong_code'))
  assert.equal((await other.login({ ...credentials, code: authenticator(secret, 1) })).userId, 'boss')
})
