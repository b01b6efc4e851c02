// The page of the API: logs in, fetches the OpenAPI document, logs out again, and draws it. It needs nothing from elsewhere.
'use strict'

const made = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes)
  element.append(...children)
  return element
}

// Text in which `code` is marked.
const prose = (text) =>
  (text ?? '').split('`').map((part, place) => (place % 2 ? made('code', { textContent: part }) : part))

const byId = (id) => document.getElementById(id)

// --- Fetching ---

const deviceId = () => {
  const kept = localStorage.getItem('cotton-docs-device')
  if (kept) return kept
  const fresh = `docs-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`
  localStorage.setItem('cotton-docs-device', fresh)
  return fresh
}

const asked = async (path, token, options = {}) => {
  const bearer = token ? { Authorization: `Bearer ${token}` } : {}
  const answer = await fetch(path, { ...options, headers: { 'Content-Type': 'application/json', ...bearer } })
  if (answer.status === 204) return null
  const said = await answer.json()
  if (!answer.ok) throw new Error(said.detail)
  return said
}

const fetchDocument = async (form) => {
  const said = Object.fromEntries([...new FormData(form)].filter(([, value]) => value))
  const device = { id: deviceId(), name: 'API documentation', platform: 'web' }
  const body = JSON.stringify({ ...said, device })
  const { access_token: token } = await asked('/api/v1/auth/login', null, { method: 'POST', body })
  try {
    return await asked('/api/v1/openapi.json', token)
  } finally {
    await asked('/api/v1/auth/logout', token, { method: 'POST' })
  }
}

// --- Drawing ---

const resolved = (api, node) => {
  if (!node?.$ref) return node
  return node.$ref.slice(2).split('/').reduce((at, step) => at[step], api)
}

const bounds = (schema) =>
  ['minimum', 'maximum', 'minLength', 'maxLength', 'maxItems', 'pattern', 'format', 'default']
    .filter((name) => schema[name] !== undefined)
    .map((name) => `${name} ${schema[name]}`)
    .join(', ')

const typeOf = (schema) => {
  if (schema.$ref) return schema.$ref.split('/').pop()
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' | ')
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.items) return `${typeOf(schema.items)}[]`
  return [schema.type ?? 'anything'].flat().join(' | ')
}

const tableOf = (heads, rows) =>
  made('table', {},
    made('thead', {}, made('tr', {}, ...heads.map((head) => made('th', { textContent: head })))),
    made('tbody', {}, ...rows.map((cells) => made('tr', {}, ...cells.map((cell) => made('td', {}, ...[cell].flat()))))))

const memberRows = (schema) =>
  Object.entries(schema.properties ?? {}).map(([name, member]) => [
    made('code', { textContent: name }),
    [typeOf(member), schema.required?.includes(name) ? ' (always)' : '', member.readOnly ? ' (read only)' : ''].join(''),
    [...prose(member.description), made('div', { className: 'muted', textContent: bounds(member) })]
  ])

const shown = (api, schema) => {
  const parts = schema.anyOf ?? [schema]
  return parts.flatMap((part) => {
    const whole = resolved(api, part)
    const head = made('h3', { textContent: typeOf(part) })
    const about = made('p', {}, ...prose(whole.description))
    const members = whole.properties ? [tableOf(['member', 'type', 'about'], memberRows(whole))] : []
    return [head, about, ...members]
  })
}

const contentOf = (api, node) =>
  Object.entries(node.content ?? {}).slice(0, 1).flatMap(([type, content]) => [
    made('p', { className: 'muted', textContent: type }),
    ...(content.schema ? shown(api, content.schema) : []),
    ...(content.example === undefined ? [] : [made('pre', { textContent: JSON.stringify(content.example, null, 1) })])
  ])

const answersOf = (api, operation) =>
  Object.entries(operation.responses).map(([status, said]) => {
    const answer = resolved(api, said)
    const codes = answer['x-problem-codes']
    const about = codes ? codes.flatMap((code) => [made('code', { textContent: code }), ' ']) : prose(answer.description)
    return [status, about]
  })

const parametersOf = (operation) =>
  operation.parameters.map((parameter) => [
    [made('code', { textContent: parameter.name }), parameter.required ? ' (needed)' : ''],
    parameter.in,
    [typeOf(parameter.schema), made('div', { className: 'muted', textContent: bounds(parameter.schema) })],
    prose(parameter.description)
  ])

const inside = (api, operation) => {
  const body = operation.requestBody
  const good = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))
  return [
    made('p', {}, ...prose(operation.description)),
    ...(operation.parameters ? [tableOf(['parameter', 'in', 'type', 'about'], parametersOf(operation))] : []),
    ...(body ? [made('h2', { textContent: 'Body' }), ...contentOf(api, body)] : []),
    made('h2', { textContent: 'Answers' }),
    tableOf(['status', 'about'], answersOf(api, operation)),
    ...(good ? contentOf(api, resolved(api, good[1])) : [])
  ]
}

const drawOperation = (api, method, path, operation) => {
  const head = made('summary', {},
    made('span', { className: 'method', textContent: method.toUpperCase() }),
    made('span', { className: 'path', textContent: path }),
    made('span', { textContent: operation.summary }))
  const drawn = made('details', { id: operation.operationId }, head)
  drawn.dataset.words = `${method} ${path} ${operation.operationId} ${operation.summary} ${operation['x-permissions']}`.toLowerCase()
  drawn.addEventListener('toggle', () => {
    if (drawn.open && drawn.children.length === 1) drawn.append(...inside(api, operation))
  })
  return drawn
}

const drawDocument = (api) => {
  const sections = new Map(api.tags.map((tag) => [tag.name, made('section', {}, made('h2', { textContent: tag.name }),
    made('p', { className: 'muted' }, ...prose(tag.description)))]))
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      sections.get(operation.tags[0]).append(drawOperation(api, method, path, operation))
    }
  }
  byId('document').append(made('p', {}, ...prose(api.info.description)), ...sections.values())
}

const search = (words) => {
  for (const section of document.querySelectorAll('section')) {
    const operations = [...section.querySelectorAll('details')]
    for (const operation of operations) operation.hidden = !operation.dataset.words.includes(words)
    section.hidden = operations.every((operation) => operation.hidden)
  }
}

byId('login').addEventListener('submit', async (event) => {
  event.preventDefault()
  byId('refusal').textContent = ''
  try {
    drawDocument(await fetchDocument(event.target))
  } catch (failure) {
    byId('refusal').textContent = failure.message
    return
  }
  event.target.hidden = true
  byId('search').hidden = false
  byId('search').focus()
})
byId('search').addEventListener('input', (event) => search(event.target.value.trim().toLowerCase()))
