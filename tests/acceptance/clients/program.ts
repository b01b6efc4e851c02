// Logs in, lists partners and makes one, with nothing but the types that were generated from the document.
import type { components, paths } from './api.js'

type Partner = components['schemas']['BusinessPartner']
type NewPartner = components['schemas']['NewBusinessPartner']
type Tokens = components['schemas']['Tokens']
type Query = NonNullable<paths['/api/v1/business_partners']['get']['parameters']['query']>
type Page =
  paths['/api/v1/business_partners']['get']['responses']['200']['content']['application/json']
type Made =
  paths['/api/v1/business_partners']['post']['responses']['201']['content']['application/json']

const [server, username, password] = process.argv.slice(2)

const ask = async <Answer>(path: keyof paths, method: string, token?: string, body?: unknown, query = {}): Promise<Answer> => {
  const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) }
  const answer = await fetch(`${server}${path}?${new URLSearchParams(query)}`, {
    method,
    headers,
    ...(body ? { body: JSON.stringify(body) } : {})
  })
  if (!answer.ok) throw new Error(await answer.text())
  return (await answer.json()) as Answer
}

const { access_token: token } = await ask<Tokens>('/api/v1/auth/login', 'POST', undefined, { username, password })
const query: Query = { limit: 3 }
const page = await ask<Page>('/api/v1/business_partners', 'GET', token, undefined, query)
const names: string[] = page.records.map((partner) => partner.legal_name ?? 'not asked for')

const wanted: NewPartner = { branch_id: 'DemoBranchRajkot', kind: '["seller"]', legal_name: 'Typed Ginning' }
const made = await ask<Made>('/api/v1/business_partners', 'POST', token, wanted)
const state: Partner['state'] = 'state' in made ? made.state : 'draft'

// @ts-expect-error a field that is needed is missing
const lacking: NewPartner = { branch_id: 'DemoBranchRajkot', kind: '["seller"]' }
// @ts-expect-error no partner is ever in this state
const wrong: Partner['state'] = 'sleeping'
// @ts-expect-error there is no such path
const nowhere: keyof paths = '/api/v1/business_partner'

console.log(JSON.stringify({ names, state, id: made.id, unused: [lacking, wrong, nowhere].length }))
