/**
 * What the generated models are made of: reading and writing a column, relations and children.
 *
 * Owns: the way between a column's plain value and what an app works with (Date, list, object).
 * Must not know: any table. Invariant: writing what was read changes nothing, so that WatermelonDB marks no column as
 * changed (test/unit/fields.test.ts).
 */
import { Q, Relation } from '@nozbe/watermelondb'
import type { Model, Query } from '@nozbe/watermelondb'

type Value = string | number | boolean | null

export function readRaw<T extends Value>(model: Model, column: string): T {
  return model._getRaw(column) as T
}

export function writeRaw(model: Model, column: string, value: Value): void {
  // WatermelonDB's types leave out null, its code does not.
  model._setRaw(column, value as string)
}

/** Milliseconds since 1970 as a Date. */
export function readInstant<T extends Date | null>(model: Model, column: string): T {
  const milliseconds = model._getRaw(column) as number | null
  return (milliseconds === null ? null : new Date(milliseconds)) as T
}

export function writeInstant(model: Model, column: string, value: Date | null): void {
  writeRaw(model, column, value === null ? null : value.getTime())
}

/** A list or an object kept as JSON text; an empty text, which a new row has, reads as null. */
export function readJson<T>(model: Model, column: string): T {
  const text = model._getRaw(column) as string | null
  return (text ? JSON.parse(text) : null) as T
}

export function writeJson(model: Model, column: string, value: object | null): void {
  const same = JSON.stringify(readJson(model, column)) === JSON.stringify(value)
  if (!same) writeRaw(model, column, value === null ? null : JSON.stringify(value))
}

const relations = new WeakMap<Model, Map<string, Relation<Model>>>()

/** The row that `column` names; one Relation per row and column, as WatermelonDB's own decorator keeps it. */
export function relation<T extends Model>(model: Model, table: string, column: string): Relation<T> {
  let known = relations.get(model)
  if (!known) relations.set(model, (known = new Map()))
  let found = known.get(column)
  if (!found) known.set(column, (found = new Relation<Model>(model, table, column, { isImmutable: false })))
  return found as Relation<T>
}

/** The rows of `table` whose `key` names this row. */
export function children<T extends Model>(model: Model, table: string, key: string): Query<T> {
  return model.collections.get<T>(table).query(Q.where(key, model.id))
}
