/**
 * Rights change under a phone: what is given arrives, whatever its age; what is taken is gone, with its children and fields.
 * The office acts over REST, as an administrator; the phone is agent3, who sees what is assigned to him.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'

import { KINDS } from '../support/database'
import { Device, assertQuiet, serverUrl, token } from '../support/device'
import { update } from '../support/edits'

const agent = 'agent3'

async function office(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${serverUrl()}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${await token('admin')}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${text}`)
  return text ? (JSON.parse(text) as Record<string, unknown>) : {}
}

const assign = (partner: string, user: string | null) =>
  office('PATCH', `business_partners/${partner}`, { assigned_agent_id: user })

for (const kind of KINDS) {
  describe(`scopes (${kind})`, () => {
    let phone: Device
    let all: Device
    let partner: string

    /** What belongs to the partner on a phone: itself, its contacts, its trades and their lorries. */
    async function holds(device: Device): Promise<Record<string, string[]>> {
      const trades = (await device.rows('trades')).filter((t) => [t['buyer_id'], t['seller_id']].includes(partner))
      const ids = trades.map((trade) => trade.id)
      return {
        partner: (await device.rows('business_partners')).filter((row) => row.id === partner).map((row) => row.id),
        contacts: (await device.rows('partner_contacts')).filter((row) => row['partner_id'] === partner).map((row) => row.id).sort(),
        trades: ids.sort(),
        lorries: (await device.rows('dispatches')).filter((row) => ids.includes(String(row['trade_id']))).map((row) => row.id).sort(),
      }
    }

    before(async () => {
      ;[phone, all] = [await Device.of(agent, { kind }), await Device.of('manager', { kind })]
      await Promise.all([phone.sync(), all.sync()])
      const mine = new Set((await phone.rows('business_partners')).map((row) => row.id))
      const traded = (await all.rows('trades')).map((trade) => String(trade['seller_id'])).find((id) => !mine.has(id))
      assert.ok(traded, 'the demo has no trade with a partner that is not assigned to the agent')
      partner = traded
      await assign(partner, null)
      await Promise.all([phone.sync(), all.sync()])
    })

    it('sees only what is assigned', async () => {
      assert.deepEqual(await holds(phone), { partner: [], contacts: [], trades: [], lorries: [] })
      assert.notDeepEqual(await holds(all), { partner: [], contacts: [], trades: [], lorries: [] })
    })

    it('gets an assigned partner with its old documents, and loses them when it is reassigned', async () => {
      await assign(partner, agent)
      await phone.sync()
      await all.sync()
      assert.deepEqual(await holds(phone), await holds(all))

      await assign(partner, 'agent1')
      await phone.sync()
      assert.deepEqual(await holds(phone), { partner: [], contacts: [], trades: [], lorries: [] })
      await assertQuiet(phone)
    })

    it('gets a branch by a grant, loses it with the grant, and gets it again', async () => {
      const branch = String((await all.row('business_partners', partner))?.['branch_id'])
      const before = await holds(phone)
      for (let round = 0; round < 2; round += 1) {
        const grant = await office('POST', 'grants', { user_id: agent, role_id: 'agent', branch_id: branch })
        await phone.sync()
        assert.deepEqual(await holds(phone), await holds(all))

        await office('DELETE', `grants/${String(grant['id'])}`)
        await phone.sync()
        assert.deepEqual(await holds(phone), before)
      }
      await assertQuiet(phone)
    })

    it('loses the fields that only another role shows', async () => {
      const branch = String((await all.row('business_partners', partner))?.['branch_id'])
      const grader = await office('POST', 'grants', { user_id: agent, role_id: 'grader', branch_id: branch })
      const trader = await office('POST', 'grants', { user_id: agent, role_id: 'trader', branch_id: branch })
      await phone.sync()
      const id = (await holds(phone))['trades']?.[0] ?? ''
      assert.ok(Number((await phone.row('trades', id))?.['price_per_candy']) > 0)

      await office('DELETE', `grants/${String(trader['id'])}`)
      await phone.sync()
      assert.equal((await phone.row('trades', id))?.['price_per_candy'], 0)
      await office('DELETE', `grants/${String(grader['id'])}`)
      await phone.sync()
      await assertQuiet(phone)
    })

    it('is told why an edit is refused that was made before the right was taken', async () => {
      await assign(partner, agent)
      await phone.sync()
      await update(phone.database, 'business_partners', partner, { trade_name: 'typed in time' })
      phone.beforePush = async () => {
        phone.beforePush = async () => undefined
        await assign(partner, 'agent1')
      }
      await phone.sync()
      await phone.sync()

      assert.deepEqual((await holds(phone))['partner'], [])
      const issues = (await phone.rows('sync_issues')).filter((row) => row['record_id'] === partner)
      assert.equal(issues.at(-1)?.['reason_code'], 'out_of_scope')
      await assertQuiet(phone)
    })
  })
}
