/**
 * The inbox: what became of changes that the server refused or parked, and what a person does about them, offline too.
 *
 * An action is an ordinary edit of the record and of the issue's state, in one write; the next sync carries both. "Mine" is what
 * the author wanted, "theirs" what the server has. Of mine, only the columns that the author changed are written, so that what
 * others did meanwhile stays; a count is written as what is there now plus what the author added. What others deleted is made
 * anew under another id: an id that the server said is gone never comes back.
 *
 * Owns: the actions, and what an issue says. Must not know: the network, how an issue comes about.
 * Invariant: record and state change together or not at all; an action on a closed issue throws (test/unit/inbox.test.ts).
 */
import { Q } from '@nozbe/watermelondb'
import type { Collection, Database, Model } from '@nozbe/watermelondb'

import { addUp } from './decisions'
import { writeRaw } from './fields'
import { POLICIES } from './generated/policies'
import type { SyncIssue } from './generated/models'
import type { Row, TablePolicies, Value } from './merge'

/** An action that cannot be done; `code` is stable, the message is for a person. */
export class InboxError extends Error {
  constructor(
    readonly code: 'issue_closed' | 'record_missing' | 'record_deleted' | 'unknown_column',
    message: string,
  ) {
    super(message)
    this.name = 'InboxError'
  }
}

/** An issue, parsed: `mine` is the record as its author wanted it, `theirs` as the server has it. */
export interface IssueStory {
  table: string
  id: string
  operation: 'created' | 'updated' | 'deleted'
  code: string
  sentence: string
  /** The columns in question. */
  fields: string[]
  /** The columns that the author changed. */
  changed: string[]
  base: Row | null
  mine: Row | null
  theirs: Row | null
  /** Parsed if it is JSON, else the text. */
  suggestion: unknown
}

const OPEN = Q.where('state', 'open')

export class Inbox {
  constructor(private readonly database: Database) {}

  /** Open issues, newest first; an observable that tells of each change. */
  observe() {
    return this.open().observe()
  }

  fetch(): Promise<SyncIssue[]> {
    return this.open().fetch()
  }

  private open() {
    return this.database.get<SyncIssue>('sync_issues').query(OPEN, Q.sortBy('created_at', Q.desc))
  }

  describe(issue: SyncIssue): IssueStory {
    const { tableName: table, recordId: id, operation, reasonCode: code, sentence } = issue
    const [base, mine, theirs] = [issue.base, issue.theirs, issue.ours] as (Row | null)[]
    const changed = changedBy(issue)
    const story = { table, id, operation, code, sentence, fields: issue.fields ?? [], changed }
    return { ...story, base: base ?? null, mine: mine ?? null, theirs: theirs ?? null, suggestion: parsed(issue.suggestion) }
  }

  /** Do again what the author wanted. */
  acceptMine(issue: SyncIssue): Promise<void> {
    return this.close(issue, 'resubmitted', (story, record) => this.again(story, record, {}))
  }

  /** Leave the record as the server has it. */
  acceptTheirs(issue: SyncIssue): Promise<void> {
    return this.close(issue, 'accepted_ours', async () => [])
  }

  /** Do again what the author wanted, with `values` in place of some columns. */
  editAndResubmit(issue: SyncIssue, values: Row): Promise<void> {
    return this.close(issue, 'resubmitted', (story, record) => this.again(story, record, values))
  }

  /** Forget the change. */
  discard(issue: SyncIssue): Promise<void> {
    return this.close(issue, 'discarded', async () => [])
  }

  private async close(
    issue: SyncIssue,
    state: 'resubmitted' | 'accepted_ours' | 'discarded',
    edit: (story: IssueStory, record: Model | null) => Promise<Model[]>,
  ): Promise<void> {
    await this.database.write(async () => {
      if (issue.state !== 'open') throw new InboxError('issue_closed', 'This was settled already.')
      const story = this.describe(issue)
      const [record] = await this.database.get(story.table).query(Q.where('id', story.id)).fetch()
      const edits = await edit(story, record ?? null)
      const closed = issue.prepareUpdate((edited) => {
        edited.state = state
      })
      await this.database.batch(...edits, closed)
    }, `inbox: ${state}`)
  }

  private async again(story: IssueStory, record: Model | null, values: Row): Promise<Model[]> {
    const collection = this.database.get(story.table)
    checkColumns(collection, values)
    const edited = Object.keys(values).length > 0
    if (story.operation === 'deleted' && !edited) return record === null ? [] : [record.prepareMarkAsDeleted()]
    if (record === null) return [await this.create(collection, story, values)]
    return [record.prepareUpdate(() => writeAll(record, { ...wanted(story, record), ...values }))]
  }

  private async create(collection: Collection<Model>, { id, mine, code }: IssueStory, values: Row): Promise<Model> {
    if (mine === null) throw new InboxError('record_missing', 'The record is not on this device, and the issue does not say what was in it.')
    const anew = code === 'deleted_meanwhile'
    const deleted = anew ? [] : await this.database.adapter.getDeletedRecords(collection.table as never)
    if (deleted.includes(id)) throw new InboxError('record_deleted', 'The record was deleted on this device; sync first.')
    const columns = POLICIES.tables[collection.table as unknown as string]?.columns ?? {}
    const written = Object.entries({ ...mine, ...values }).filter(([column]) => writable(columns, column))
    return collection.prepareCreate((made) => {
      if (!anew) made._raw.id = id
      writeAll(made, Object.fromEntries(written))
    })
  }
}

/** What to write over `record` for the author's change: a count as what is there now plus what the author added. */
function wanted({ table, changed, base, mine }: IssueStory, record: Model): Row {
  const columns = POLICIES.tables[table]?.columns ?? {}
  const row: Row = {}
  for (const column of changed) {
    const value = mine?.[column]
    if (value === undefined) continue
    const added = columns[column]?.policy === 'tally' && base !== null && base[column] !== undefined
    row[column] = added ? addUp(record._getRaw(column) as Value, value, base[column] as Value) : value
  }
  return row
}

/** The columns that the author changed: as WatermelonDB noted them, else what differs from the base, else all that was sent. */
function changedBy(issue: SyncIssue): string[] {
  const columns = POLICIES.tables[issue.tableName]?.columns ?? {}
  const { base, payload, theirs } = issue
  const noted = issue.operation === 'updated' ? payload?.['_changed'] : undefined
  const declared = Object.keys(columns).filter((column) => writable(columns, column))
  if (typeof noted === 'string' && noted !== '') return declared.filter((column) => noted.split(',').includes(column))
  if (base) return declared.filter((column) => base[column] !== (theirs ?? payload)?.[column])
  return declared.filter((column) => column in (payload ?? theirs ?? {}))
}

function writable(columns: TablePolicies['columns'], column: string): boolean {
  const policy = columns[column]
  return policy !== undefined && policy.policy !== 'ours'
}

function checkColumns(collection: Collection<Model>, values: Row): void {
  const columns = POLICIES.tables[collection.table as unknown as string]?.columns ?? {}
  for (const column of Object.keys(values)) {
    if (!writable(columns, column)) throw new InboxError('unknown_column', `${column} cannot be written on a device.`)
  }
}

function writeAll(record: Model, row: Row): void {
  for (const [column, value] of Object.entries(row)) writeRaw(record, column, value)
}

function parsed(text: string | null): unknown {
  if (!text) return null
  try {
    return JSON.parse(text)
  } catch {
    return text // a sentence, not JSON
  }
}
