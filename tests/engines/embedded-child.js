// Starts an embedded server in a process of its own: `node embedded-child.js <module> <options as JSON>`. The last line is the answer.
// With `dieWhile` it kills itself when that fact is told.
const [module, json] = process.argv.slice(2)
const { startEmbedded } = await import(module)
const { dieWhile, dieAfterMs, ...options } = JSON.parse(json)

function emit(fact) {
  if (fact.type === dieWhile) setTimeout(() => process.kill(process.pid, 'SIGKILL'), dieAfterMs)
}

try {
  process.stdout.write(`${JSON.stringify(await startEmbedded({ ...options, emit }))}\n`)
} catch (error) {
  process.stdout.write(`${JSON.stringify({ code: error.code, message: error.message, stack: error.stack })}\n`)
}
