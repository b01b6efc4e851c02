/** The inbox: an action writes what the author changed and closes the issue, both or neither, without a network. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Database, Model } from '@nozbe/watermelondb'

import { migrations, modelClasses, schema } from '../../src'
import type { SyncIssue } from '../../src'
import { Inbox, InboxError } from '../../src/inbox'
import { KINDS, open, rows } from '../support/database'

const SYNCED = { _status: 'synced', _changed: '' }
const BASE = { bales_offered: 100, bales_reserved: 40, is_active: true }

interface Story {
  code?: string
  operation?: string
  payload?: object
  base?: object | null
  theirs?: object | null
}

/** A database with one availability, as the server has it, and one open issue about it. */
async function world(kind: 'sqlite' | 'loki', story: Story = {}, record: object | null = { ...BASE, bales_reserved: 50 }) {
  const database = await open(kind, { schema, migrations, modelClasses })
  const { operation = 'updated', payload, base = BASE, theirs = { ...BASE, bales_reserved: 60 } } = story
  const text = (document: object | null | undefined) => (document ? JSON.stringify(document) : null)
  const raw = {
    ...{ id: 'i1', ...SYNCED, author_id: 'u', table_name: 'availabilities', record_id: 'a1', kind: 'parked', operation },
    ...{ reason_code: story.code ?? 'out_of_bounds', sentence: 'Too many.', fields: '["bales_reserved"]', state: 'open' },
    ...{ payload: text(payload), base: text(base), theirs: text(theirs), ours: text({ ...BASE, bales_reserved: 50 }) },
  }
  const made: Model[] = [database.get('sync_issues').prepareCreateFromDirtyRaw(raw)]
  if (record) made.push(database.get('availabilities').prepareCreateFromDirtyRaw({ id: 'a1', ...SYNCED, ...record }))
  await database.write(() => database.batch(...made))
  return { database, inbox: new Inbox(database), issue: await database.get<SyncIssue>('sync_issues').find('i1') }
}

async function held(database: Database): Promise<Record<string, unknown> | undefined> {
  return (await rows(database, 'availabilities'))[0]
}

for (const kind of KINDS) {
  describe(`the inbox (${kind})`, () => {
    it('tells open issues, and what each says', async () => {
      const { inbox } = await world(kind)
      const [found] = await inbox.fetch()
      assert.ok(found)
      const { table, id, changed, base, mine, theirs } = inbox.describe(found)
      assert.deepEqual([table, id, changed, base], ['availabilities', 'a1', ['bales_reserved'], BASE])
      assert.deepEqual([mine?.['bales_reserved'], theirs?.['bales_reserved']], [60, 50])
    })

    it('accepts mine: adds what the author added to what is there now, and touches nothing else', async () => {
      const { database, inbox, issue } = await world(kind)
      await inbox.acceptMine(issue)
      const row = await held(database)
      assert.deepEqual([row?.['bales_reserved'], row?.['_changed'], row?.['_status']], [70, 'updated_at,bales_reserved', 'updated'])
      assert.deepEqual([issue.state, issue._raw._changed], ['resubmitted', 'updated_at,state'])
      assert.deepEqual(await inbox.fetch(), [])
    })

    it('accepts theirs, or discards: the record stays clean', async () => {
      for (const [act, state] of [['acceptTheirs', 'accepted_ours'], ['discard', 'discarded']] as const) {
        const { database, inbox, issue } = await world(kind)
        await inbox[act](issue)
        assert.deepEqual([(await held(database))?.['_status'], issue.state], ['synced', state])
      }
    })

    it('edits and resubmits: the values given stand in place of the author\'s', async () => {
      const { database, inbox, issue } = await world(kind)
      await inbox.editAndResubmit(issue, { bales_reserved: 55 })
      assert.equal((await held(database))?.['bales_reserved'], 55)
      assert.equal(issue.state, 'resubmitted')
    })

    it('does all or nothing: a column that no phone writes leaves record and issue alone', async () => {
      const { database, inbox, issue } = await world(kind)
      await assert.rejects(inbox.editAndResubmit(issue, { updated_at: 5 }), InboxError)
      assert.deepEqual([(await held(database))?.['_status'], issue.state], ['synced', 'open'])
    })

    it('deletes again what the author deleted', async () => {
      const { database, inbox, issue } = await world(kind, { operation: 'deleted', theirs: null })
      await inbox.acceptMine(issue)
      assert.deepEqual(await database.adapter.getDeletedRecords('availabilities' as never), ['a1'])
      assert.equal(issue.state, 'resubmitted')
    })

    it('creates again what was refused, under the same id, or edits what has that id now', async () => {
      const story = { operation: 'created', base: null, payload: { id: 'a1', bales_offered: 80 }, theirs: { bales_offered: 80 } }
      const free = await world(kind, story, null)
      await free.inbox.acceptMine(free.issue)
      const made = await held(free.database)
      assert.deepEqual([made?.['id'], made?.['bales_offered'], made?.['_status']], ['a1', 80, 'created'])

      const taken = await world(kind, story)
      await taken.inbox.acceptMine(taken.issue)
      const edited = await held(taken.database)
      assert.deepEqual([edited?.['bales_offered'], edited?.['bales_reserved'], edited?.['_changed']], [80, 50, 'updated_at,bales_offered'])
    })

    it('makes what others deleted anew, under another id', async () => {
      const { database, inbox, issue } = await world(kind, { code: 'deleted_meanwhile' }, null)
      await inbox.acceptMine(issue)
      const made = await held(database)
      assert.deepEqual([made?.['bales_offered'], made?.['_status'], issue.state], [100, 'created', 'resubmitted'])
      assert.notEqual(made?.['id'], 'a1')
    })

    it('settles an issue once', async () => {
      const { inbox, issue } = await world(kind)
      await inbox.discard(issue)
      await assert.rejects(inbox.acceptMine(issue), { code: 'issue_closed' })
    })
  })
}
