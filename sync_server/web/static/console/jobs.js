// What the server does later: jobs that wait and run, and those that failed for good.
// Owns: asking for a failed one again.
// Must not know: what a job does.
// Invariant: what is shown is what `cotton-sync jobs` shows.

import { ask, get } from './api.js'
import { useLive } from './live.js'
import { Grid, Heading, Notice, Trouble, Waiting, useDoing } from './ui.js'
import { ago, moment } from './values.js'
import { html } from './vendor.js'
import { t } from './words.js'

async function readJobs() {
  const [waiting, dead] = await Promise.all([get('/jobs'), get('/jobs/dead')])
  return { waiting: waiting.jobs, dead: dead.jobs }
}

export default function Jobs() {
  const [jobs, problem, again] = useLive(readJobs, [])
  const [run, failed, notice] = useDoing()
  const retry = (job) => run(async () => {
    await ask('POST', `/jobs/dead/${encodeURIComponent(job.id)}/retry`, {})
    await again()
  }, t('asked_again'))
  const shared = [
    { title: t('kind'), cell: (job) => job.kind },
    { title: t('failures'), number: true, cell: (job) => String(job.failures) },
    { title: t('asked_for'), cell: (job) => moment(job.asked_at) }
  ]
  const waiting = [...shared, { title: t('due'), cell: (job) => ago(job.due_at) }, { title: t('state'), cell: (job) => job.state }]
  const dead = [
    ...shared,
    { title: t('fault'), cell: (job) => job.error },
    { title: '', cell: (job) => html`<button type="button" class="plain" aria-label=${`${t('again')}: ${job.kind}`}
      onClick=${() => retry(job)}>${t('again')}</button>` }
  ]
  return html`<${Heading}>${t('jobs')}<//>
    <${Trouble} problem=${problem || failed} /><${Notice} text=${notice} />
    ${!jobs && !problem && html`<${Waiting} />`}
    ${jobs && html`<h2>${t('jobs_dead')}</h2>
      <${Grid} caption=${t('jobs_dead')} columns=${dead} rows=${jobs.dead} empty=${t('jobs_none_dead')} />
      <h2>${t('jobs_waiting')}</h2>
      <${Grid} caption=${t('jobs_waiting')} columns=${waiting} rows=${jobs.waiting} empty=${t('jobs_none')} />`}`
}
