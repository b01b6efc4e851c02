/** The snippet of WatermelonDB's documentation works as it stands there: only the URL and the token are ours. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Database } from '@nozbe/watermelondb'
import { synchronize } from '@nozbe/watermelondb/sync'

import { KINDS, open } from '../support/database'
import { APP, Device, assertQuiet, contents, serverUrl, token } from '../support/device'
import { create } from '../support/edits'
import { Random } from '../support/random'
import { partner } from '../support/samples'

async function mySync(database: Database, TOKEN: string): Promise<void> {
  await synchronize({
    database,
    pullChanges: async ({ lastPulledAt, schemaVersion, migration }) => {
      const urlParams = `last_pulled_at=${lastPulledAt}&schema_version=${schemaVersion}&migration=${encodeURIComponent(
        JSON.stringify(migration),
      )}`
      const response = await fetch(`${serverUrl()}/api/v1/sync?${urlParams}`, {
        headers: { Authorization: `Bearer ${TOKEN}` },
      })
      if (!response.ok) {
        throw new Error(await response.text())
      }

      const { changes, timestamp } = (await response.json()) as { changes: never; timestamp: number }
      return { changes, timestamp }
    },
    pushChanges: async ({ changes, lastPulledAt }) => {
      const response = await fetch(`${serverUrl()}/api/v1/sync?last_pulled_at=${lastPulledAt}`, {
        method: 'POST',
        body: JSON.stringify(changes),
        headers: { Authorization: `Bearer ${TOKEN}` },
      })
      if (!response.ok) {
        throw new Error(await response.text())
      }
    },
    migrationsEnabledAtVersion: 1,
  })
}

for (const kind of KINDS) {
  describe(`the documented snippet (${kind})`, () => {
    it('pulls, pushes and pulls again', async () => {
      const database = await open(kind, APP)
      const reader = await Device.of('agent2', { kind })
      await mySync(database, await token('agent1'))

      const id = new Random().id()
      const [branch] = (await database.get('branches').query().fetchIds()) as string[]
      await create(database, 'business_partners', id, partner(String(branch), 'Stock & Sons'))
      await mySync(database, await token('agent1'))
      await mySync(database, await token('agent1'))
      await reader.sync()

      assert.equal((await reader.row('business_partners', id))?.['legal_name'], 'Stock & Sons')
      const fresh = await Device.of('agent1', { kind })
      await fresh.sync()
      assert.equal((await contents(fresh))['business_partners']?.length, await database.get('business_partners').query().fetchCount())
      await assertQuiet(reader, fresh)
    })
  })
}
