/**
 * Rows that the trade accepts, made from what a device already holds: a first one of each table that phones write.
 *
 * Must not know: how they travel. Invariant: a sample breaks no rule (test/server/roundtrip.test.ts).
 */
import assert from 'node:assert/strict'

import { DEFAULTS } from '../../src'
import type { TableName } from '../../src'
import type { Raw } from './database'
import type { Device } from './device'
import { create } from './edits'
import type { Values } from './edits'
import type { Random } from './random'

/** Tables that phones write, parents before children; sync issues are made by the server alone. */
export const WRITABLE = [
  'business_partners',
  'partner_locations',
  'partner_contacts',
  'availabilities',
  'requirements',
  'trades',
  'quality_inspections',
  'dispatches',
] as const satisfies readonly TableName[]
export type Writable = (typeof WRITABLE)[number]

/** A free text column per table: changing it breaks no rule and touches no other column. */
export const NOTE: Record<Writable, string> = {
  business_partners: 'trade_name',
  partner_locations: 'address',
  partner_contacts: 'email',
  availabilities: 'delivery_terms',
  requirements: 'deliver_until',
  trades: 'delivery_terms',
  quality_inspections: 'grade',
  dispatches: 'lr_number',
}

/** A note that fits the column: an e-mail address or a day where one is due. */
export function note(table: Writable, text: string): string {
  if (table === 'partner_contacts') return `${text}@example.in`
  if (table !== 'requirements') return text
  const sum = Array.from(text).reduce((total, letter) => total + letter.charCodeAt(0), 0)
  return `2027-01-${String(1 + (sum % 28)).padStart(2, '0')}`
}

export function partner(branch: string, legalName: string): Values {
  return { ...DEFAULTS.business_partners, branch_id: branch, legal_name: legalName, kind: '["seller"]' }
}

/** Make one new row of every table on the device; gives table -> id. */
export async function createSamples(device: Device, random: Random): Promise<Record<Writable, string>> {
  const ids = Object.fromEntries(WRITABLE.map((table) => [table, random.id()])) as Record<Writable, string>
  const values = await samples(device, ids)
  for (const table of WRITABLE) await create(device.database, table, ids[table], { ...DEFAULTS[table], ...values[table] })
  return ids
}

async function samples(device: Device, ids: Record<Writable, string>): Promise<Record<Writable, Values>> {
  const partners = await device.rows('business_partners')
  const trader = (kind: string): Raw => first(partners, (row) => isApproved(row) && String(row['kind']).includes(`"${kind}"`))
  const [seller, buyer] = [trader('seller'), trader('buyer')]
  const branch_id = seller['branch_id']
  const commodity_id = first(await device.rows('commodities'), (row) => row['is_active'] !== false).id
  const sold = first(await device.rows('trades'), (row) => row['state'] === 'confirmed')
  const partner_id = ids.business_partners
  const trade = { branch_id, commodity_id, buyer_id: buyer.id, seller_id: seller.id }
  return {
    business_partners: partner(String(branch_id), 'Kisan Ginning and Pressing'),
    partner_locations: { partner_id, kind: 'gin', is_primary: true, address: 'Station Road' },
    partner_contacts: { partner_id, kind: 'owner', is_primary: true, name: 'Meena Patel' },
    availabilities: {
      ...{ branch_id, commodity_id, seller_id: seller.id, crop_year: '2026-27', bales_offered: 100 },
      ...{ asking_price_per_candy: 62000.5, price_kind: 'fixed' },
    },
    requirements: {
      ...{ branch_id, commodity_id, buyer_id: buyer.id, bales_min: 10, bales_max: 50, urgency: 'high' },
    },
    trades: { ...trade, bales: 5, price_per_candy: 61000, trade_date: '2026-11-23' },
    quality_inspections: { trade_id: ids.trades, bale_numbers: '["7","8"]', method: 'hvi', micronaire: 4.1 },
    dispatches: { trade_id: sold.id, bales: 1 },
  }
}

function isApproved(row: Raw): boolean {
  return row['state'] === 'approved'
}

export function first(rows: Raw[], wanted: (row: Raw) => boolean): Raw {
  const found = rows.find(wanted)
  assert.ok(found, 'the demo data has no such row')
  return found
}
