/** What is unsynced is read as copies, and cut so that parents go first and deletions last. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { TABLES } from '../../src'
import { countUnsynced, cut, readUnsynced, sameValues, without } from '../../src/unsynced'
import type { Changes } from '../../src/unsynced'
import { KINDS, open } from '../support/database'
import { APP } from '../support/device'
import { create, remove, update } from '../support/edits'

const LARGE = { records: 1000, size: 1_000_000 }

function told(changes: Changes): string[] {
  return Object.entries(changes).flatMap(([table, lists]) => [
    ...lists.created.map((row) => `+${table}/${row.id}`),
    ...lists.updated.map((row) => `~${table}/${row.id}`),
    ...lists.deleted.map((id) => `-${table}/${id}`),
  ])
}

for (const kind of KINDS) {
  describe(`what is unsynced (${kind})`, () => {
    it('is a copy that later edits leave as it is', async () => {
      const database = await open(kind, APP)
      await create(database, 'business_partners', 'p', { legal_name: 'First' })
      const unsynced = await readUnsynced(database)
      await update(database, 'business_partners', 'p', { legal_name: 'Second' })

      assert.equal(unsynced.get('business_partners')?.rows.get('p')?.['legal_name'], 'First')
      assert.deepEqual([...unsynced.keys()], [...TABLES])
    })

    it('goes parents before children, and deletions last, however small the pushes are', async () => {
      const database = await open(kind, APP)
      await create(database, 'partner_contacts', 'c', { partner_id: 'p', name: 'Meena' })
      await create(database, 'business_partners', 'p', { legal_name: 'Parent' })
      await create(database, 'business_partners', 'old', { legal_name: 'To go' })
      await remove(database, 'business_partners', 'old')
      const unsynced = await readUnsynced(database)

      const parcels = cut(unsynced, { records: 1, size: 1_000_000 })
      assert.deepEqual(parcels.flatMap((parcel) => told(parcel.changes)), ['+business_partners/p', '+partner_contacts/c', '-business_partners/old'])
      assert.deepEqual(parcels.map((parcel) => parcel.count), [1, 1, 1])
      assert.equal(countUnsynced(unsynced), 3)
    })

    it('is cut by size too, and a row larger than that goes alone', async () => {
      const database = await open(kind, APP)
      for (const id of ['a', 'b', 'c']) await create(database, 'business_partners', id, { remarks: 'x'.repeat(2000) })
      const parcels = cut(await readUnsynced(database), { records: 100, size: 100 })

      assert.deepEqual(parcels.map((parcel) => parcel.count), [1, 1, 1])
    })

    it('is one push, which has the inbox in it, when there is nothing', async () => {
      const database = await open(kind, APP)
      const parcels = cut(await readUnsynced(database), LARGE)

      assert.deepEqual(parcels, [{ changes: { sync_issues: { created: [], updated: [], deleted: [] } }, count: 0 }])
    })

    it('can be had without some records', async () => {
      const database = await open(kind, APP)
      for (const id of ['a', 'b']) await create(database, 'business_partners', id, {})
      const left = without(await readUnsynced(database), new Map([['business_partners', new Set(['a'])]]))

      assert.deepEqual([...(left.get('business_partners')?.rows.keys() ?? [])], ['b'])
    })
  })
}

describe('two copies of a row', () => {
  it('are the same whatever WatermelonDB notes of them', () => {
    const row = { id: 'p', _status: 'created' as const, _changed: '', legal_name: 'A' }
    assert.ok(sameValues(row, { ...row, _status: 'updated', _changed: 'legal_name' }))
    assert.ok(!sameValues(row, { ...row, legal_name: 'B' }))
  })
})
