#!/usr/bin/env node
// A script, not a module (see package.json beside it): Node starts those ten milliseconds sooner.
const path = require('node:path')

const bundle = path.join(__dirname, '../dist/bundle')
if (process.argv[2] === 'lint') lint()
else run('unwanted')

function lint() {
  const { openCall, askResident } = require('../dist/bundle/caller.cjs')
  // What follows from files alone is answered from what they were the last time, before anything else is read.
  const call = process.argv.includes('--no-rehearsal') ? openCall(bundle, process.argv) : null
  const known = call?.answer() ?? null
  if (known !== null) process.exit(known)
  // What a process that stays has loaded already is asked there.
  askResident(bundle, process.argv, resident => run(resident, call))
}

function run(resident, call) {
  setFlags()
  const { useCompiled } = require('../dist/bundle/compiled.cjs')
  const command = /^[a-z]+$/.test(process.argv[2] ?? '') ? process.argv[2] : 'plinth'
  process.on('exit', useCompiled(bundle, command))
  void require('../dist/bundle/plinth.cjs').main(process.argv, call?.witness(), resident)
}

/** V8 complains of flags that it does not know, so each is set where it was tried: 11 is Node 20, 13 is Node 24. */
function setFlags() {
  const { setFlagsFromString } = require('node:v8')
  const v8 = Number.parseInt(process.versions.v8, 10)
  // SQL is read before an optimizing compiler of WebAssembly would have paid, and the process could not end before that compiler does.
  if (v8 <= 13) setFlagsFromString('--liftoff-only')
  // Few functions of a short run are called so often that to optimize them pays, and V8 would begin with hundreds. Newer ones wait by themselves.
  if (v8 === 11) setFlagsFromString('--interrupt-budget=1000000')
  // Most of what a run reads it keeps to its end, so room for what is young that only doubles would have all of it moved again and again.
  if (v8 === 11) setFlagsFromString('--semi-space-growth-factor=16')
}
