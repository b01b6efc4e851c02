/**
 * A lost phone is emptied by what it pulls, be it with the SDK or with the documented snippet, which drops the strategy: what it
 * had not sent is handed over, and arrives once a manager releases it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Database } from '@nozbe/watermelondb'
import { hasUnsyncedChanges, synchronize } from '@nozbe/watermelondb/sync'
import type { SyncArgs } from '@nozbe/watermelondb/sync'

import { TABLES, cottonSync } from '../../src'
import { KINDS, complaints, open, rows } from '../support/database'
import { APP, Device, serverUrl, token } from '../support/device'
import { create, remove, update } from '../support/edits'
import { Random } from '../support/random'
import { partner } from '../support/samples'

const random = new Random()
const table = 'business_partners'

type Calls = Pick<SyncArgs, 'pullChanges' | 'pushChanges'>

async function api<T>(bearer: string, method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${serverUrl()}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  assert.equal(answer.status, 200, await answer.clone().text())
  return (await answer.json()) as T
}

/** Log in on an installation of its own; a token that is shared would be ended by the wipe. */
async function login(id: string): Promise<string> {
  const body = { username: 'agent1', password: 'cotton-demo', device: { id, platform: 'android' } }
  return (await api<{ access_token: string }>('', 'POST', '/auth/login', body)).access_token
}

/** The calls of the snippet in WatermelonDB's documentation: of an answer it keeps `changes` and `timestamp` only. */
function documented(bearer: string): Calls {
  const headers = { Authorization: `Bearer ${bearer}` }
  return {
    pullChanges: async ({ lastPulledAt, schemaVersion, migration }) => {
      const urlParams = `last_pulled_at=${lastPulledAt}&schema_version=${schemaVersion}&migration=${encodeURIComponent(
        JSON.stringify(migration),
      )}`
      const response = await fetch(`${serverUrl()}/api/v1/sync?${urlParams}`, { headers })
      if (!response.ok) throw new Error(await response.text())
      const { changes, timestamp } = (await response.json()) as { changes: never; timestamp: number }
      return { changes, timestamp }
    },
    pushChanges: async ({ changes, lastPulledAt }) => {
      const url = `${serverUrl()}/api/v1/sync?last_pulled_at=${lastPulledAt}`
      const response = await fetch(url, { method: 'POST', body: JSON.stringify(changes), headers })
      if (!response.ok) throw new Error(await response.text())
    },
  }
}

const CLIENTS: [string, (bearer: string) => Calls][] = [
  ['the SDK', (bearer) => cottonSync({ url: serverUrl(), token: async () => bearer })],
  ['the documented snippet', documented],
]

async function count(database: Database): Promise<number> {
  const found = await Promise.all(TABLES.map((name) => rows(database, name)))
  return found.flat().length
}

/** The branch of a partner that the agent has: one that the agent writes in. */
async function branchOf(database: Database): Promise<string> {
  const [known] = await rows(database, table)
  assert.ok(known, 'the first sync brought no partner')
  return String(known['branch_id'])
}

interface Shown {
  state: string
  wipe: { drains: number; clears: number; impounded: number; proven_at: number | null }
}

for (const kind of KINDS) {
  for (const [name, callsOf] of CLIENTS) {
    describe(`a wipe (${kind}, ${name})`, () => {
      it('takes what is unsent, empties the phone, proves it, and lets a manager release what was unsent', async () => {
        const id = `lost-${random.id()}`
        const calls = callsOf(await login(id))
        const manager = await token('manager')
        const database = await open(kind, APP)
        const sync = (): Promise<void> => synchronize({ database, ...calls, migrationsEnabledAtVersion: 1 })
        await sync()
        assert.ok((await count(database)) > 100)
        const branch = await branchOf(database)
        const [edited, removed, made] = [random.id(), random.id(), random.id()]
        for (const known of [edited, removed]) await create(database, table, known, partner(branch, `Known ${known}`))
        await sync()
        await create(database, table, made, partner(branch, 'Made on the lost phone'))
        await update(database, table, edited, { remarks: `Edited on ${id}` })
        await remove(database, table, removed)

        await api(manager, 'POST', `/devices/${id}/wipe`, {})
        await sync()
        await create(database, table, random.id(), partner(branch, 'Made while it was emptied'))
        await sync()
        await sync()
        await assert.rejects(sync(), /device_wiped/)

        assert.equal(await count(database), 0)
        assert.equal(await hasUnsyncedChanges({ database }), false)
        const shown = await api<Shown>(manager, 'GET', `/devices/${id}`)
        assert.equal(shown.state, 'wiped')
        assert.ok(shown.wipe.proven_at)
        assert.deepEqual([shown.wipe.drains, shown.wipe.clears, shown.wipe.impounded], [1, 2, 2])

        const left = await api<{ impounded: { id: string }[] }>(manager, 'GET', `/devices/${id}/impounded`)
        for (const push of left.impounded) await api(manager, 'POST', `/devices/${id}/impounded/${push.id}/release`)
        const another = await Device.of('agent1', { kind })
        await another.sync()
        assert.equal((await another.row(table, made))?.['legal_name'], 'Made on the lost phone')
        assert.equal((await another.row(table, edited))?.['remarks'], `Edited on ${id}`)
        const issues = (await another.rows('sync_issues')).filter((row) => row['record_id'] === removed)
        assert.deepEqual(issues.map((row) => row['reason_code']), ['not_allowed']) // an agent deletes no partner
        assert.deepEqual(complaints, [])
      })

      it('loses nothing that was made offline when it is emptied at once', async () => {
        const id = `lost-${random.id()}`
        const calls = callsOf(await login(id))
        const manager = await token('manager')
        const database = await open(kind, APP)
        const sync = (): Promise<void> => synchronize({ database, ...calls, migrationsEnabledAtVersion: 1 })
        await sync()
        const branch = await branchOf(database)
        await create(database, table, random.id(), partner(branch, 'Made on the lost phone'))

        await api(manager, 'POST', `/devices/${id}/wipe`, { immediately: true })
        await sync()
        await sync()
        await assert.rejects(sync(), /device_wiped/)

        assert.equal(await count(database), 0)
        assert.equal((await api<Shown>(manager, 'GET', `/devices/${id}`)).wipe.impounded, 1)
        assert.deepEqual(complaints, [])
      })
    })
  }
}
