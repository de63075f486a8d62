// Arguments of the scripts, and where their results go.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export function has(flag) {
  return process.argv.includes(flag)
}

/** The word behind a flag. */
export function argument(flag, otherwise) {
  const at = process.argv.indexOf(flag)
  return at < 0 ? otherwise : process.argv[at + 1]
}

/** Prints the table; unless it was quick, keeps it and the figures beside the script. */
export function store(script, name, results, table, quick) {
  const { machine, loaded } = results
  const where = `${machine.processors} × ${machine.processor}, ${machine.memoryGb} GB, Node ${machine.node}${machine.postgres ? `, PostgreSQL ${machine.postgres}` : ''}, ${machine.date}`
  const text = `${table}\n${where}. ${loaded ? 'The machine was busy with other work, so times say less than ratios.' : 'The machine had nothing else to do when it began.'}\n`
  process.stdout.write(text)
  if (quick) return
  const place = ending => fileURLToPath(new URL(`${name}.${ending}`, script))
  writeFileSync(place('json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(place('md'), text)
}
