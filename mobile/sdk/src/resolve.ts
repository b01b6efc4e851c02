/**
 * The app's side of a clash: what to show for a record that both the phone and the server changed.
 *
 * With a base, `resolveConflict` is the server's merge. The stock pair has no base: WatermelonDB hands over the local row, the
 * pulled one and its own proposal, in which each column that was changed here is the phone's. Of these columns, those that the
 * server alone writes are corrected, and those whose policy needs no base are decided by it; the others stay as WatermelonDB
 * proposes, and the server decides when they are pushed.
 *
 * Owns: which policies decide without a base. Must not know: how a policy decides. Nothing here throws: an error inside
 * WatermelonDB's sync would stop every sync after it.
 * Invariant: id, _status and _changed are as WatermelonDB proposed (test/unit/resolve.test.ts).
 */
import type { DirtyRaw, RawRecord } from '@nozbe/watermelondb/RawRecord'
import type { SyncConflictResolver } from '@nozbe/watermelondb/sync'

import { POLICIES } from './generated/policies'
import { merge } from './merge'
import type { Authored, Row, TablePolicies, Value } from './merge'

const NOTHING: TablePolicies['columns'] = {}
const NEEDS_NO_BASE: ReadonlySet<string> = new Set(['ours', 'highest', 'lowest', 'bag'])

function columnsOf(table: string): TablePolicies['columns'] {
  return POLICIES.tables[table]?.columns ?? NOTHING
}

/** Merge a record as the server does. What would be parked is ours; `base` null: nobody knows what this phone last saw. */
export function resolveConflict(table: string, base: DirtyRaw | null, ours: DirtyRaw, theirs: DirtyRaw, authored?: Authored): RawRecord {
  const columns = columnsOf(table)
  const changed = changedIn(base, theirs, columns)
  const { row } = merge(base as Row | null, ours as Row, theirs as Row, changed, columns, authored)
  return { ...row, id: theirs['id'], _status: theirs['_status'], _changed: theirs['_changed'] } as unknown as RawRecord
}

/** What the phone changed: what WatermelonDB noted, else what differs from the base. */
function changedIn(base: DirtyRaw | null, theirs: DirtyRaw, columns: TablePolicies['columns']): string[] {
  const noted: unknown = theirs['_changed']
  const declared = Object.keys(columns)
  if (typeof noted === 'string' && noted !== '') {
    const names = new Set(noted.split(','))
    return declared.filter((column) => names.has(column))
  }
  return declared.filter((column) => base === null || base[column] !== theirs[column])
}

/** For `synchronize({ conflictResolver })`. May change `resolved`, as WatermelonDB allows. */
export const conflictResolver: SyncConflictResolver = (table, local, remote, resolved) => {
  if (local['_status'] === 'deleted' || typeof local['_changed'] !== 'string') return resolved
  const columns = columnsOf(table)
  const changed = local['_changed'].split(',').filter((column) => NEEDS_NO_BASE.has(columns[column]?.policy ?? ''))
  if (changed.length === 0) return resolved
  const { row } = merge(null, remote as Row, local as Row, changed, columns)
  for (const column of changed) if (column in remote) resolved[column] = row[column] as Value
  return resolved
}
