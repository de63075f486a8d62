// The results as a table for people.

export function writeTable({ machine, loaded, quick, migrations, rounds, startRounds, apart, whole, start }) {
  const { date, commit, node, postgres, platform, processors, processor, memoryGb, loadAtStart } = machine
  return `# Applying migrations

Taken on ${date} at ${commit ?? 'an unknown commit'}: ${processors} × ${processor}, ${memoryGb} GB, ${platform}, Node ${node}, PostgreSQL ${postgres}; load ${loadAtStart} at the start.
${loaded ? '**The machine was busy with other work: read the ratios, not the times.**\n' : ''}${quick ? '**A quick run: too few rounds to compare.**\n' : ''}
Contenders take turns, ${rounds} rounds for applying and ${startRounds} for starting; ratios are medians of the ratios of a round, with those of the least
times beside them. The ${migrations} migrations are generated (\`generate.js\`): tables, columns, indexes, foreign keys, rows, views, triggers, types.

| question | measured | least | target | |
|---|---|---|---|---|
${[...apartRows(apart, migrations), ...wholeRows(whole, migrations), ...startRows(start)].map(cells => `| ${cells.join(' | ')} |`).join('\n')}

| contender | least ms | median ms | most ms |
|---|---|---|---|
${[...timeRows('apart', apart), ...timeRows('whole', whole), ...timeRows('start', start)].join('\n')}

- *apart*: libraries read and session open on both sides; psql sends each file between \`begin\` and \`commit\` and keeps no history.
- *whole*: from the start of the process to its end, on an empty database. \`dbmate\` is what npm puts on the path (Node starts the program),
  \`dbmateProgram\` the program alone.
- *start*: beyond bare \`node -e 0\`, in a project with a configuration and a state folder. \`status\` looks at 10 migrations, \`statusOfAll\` at ${migrations},
  \`applyNothing\` is \`plinth apply\` with nothing to apply.
`
}

function apartRows(apart, migrations) {
  if (apart.skipped) return [skipped(`${migrations} migrations ÷ one psql session`, apart)]
  return [ratio(`${migrations} migrations, start apart ÷ one psql session`, apart, apart.target)]
}

function wholeRows(whole, migrations) {
  if (whole.skipped) return [skipped(`whole process ÷ dbmate`, whole)]
  return [
    ratio(
      `${migrations} migrations, whole process ÷ dbmate ${whole.dbmateVersion.replace(/^.*version /, '')} from npm`,
      whole,
      whole.target,
    ),
    ratio('the same ÷ the program of dbmate without Node', whole.besideProgram, whole.target),
  ]
}

function startRows(start) {
  const row = (question, { medianOfDifferencesMs, differenceOfLeastMs }) => [
    question,
    `${medianOfDifferencesMs} ms`,
    `${differenceOfLeastMs} ms`,
    `≤ ${start.targetMs} ms`,
    verdict(medianOfDifferencesMs, differenceOfLeastMs, start.targetMs),
  ]
  return [
    row('`plinth --help` − bare node', start.help),
    row('`plinth status`, 10 applied − bare node', start.status),
    row('`plinth status`, all applied − bare node', start.statusOfAll),
    row('`plinth apply`, nothing to do − bare node', start.applyNothing),
  ]
}

function ratio(question, { medianOfRatios, ratioOfLeast }, target) {
  return [
    question,
    `${medianOfRatios} ×`,
    `${ratioOfLeast} ×`,
    `≤ ${target} ×`,
    verdict(medianOfRatios, ratioOfLeast, target),
  ]
}

function verdict(middle, least, target) {
  if (middle <= target) return 'met'
  return least <= target ? 'met by the least only' : 'missed'
}

function skipped(question, { skipped: reason }) {
  return [question, 'skipped', '', '', reason]
}

function timeRows(part, { times }) {
  return Object.entries(times ?? {}).map(
    ([name, { leastMs, medianMs, mostMs }]) => `| ${part}: ${name} | ${leastMs} | ${medianMs} | ${mostMs} |`,
  )
}
