// The results as tables for people.

export function writePreserveTable({ table, columns, batches, additive, destructive }) {
  const releases = Object.entries({ additive, destructive }).filter(([, part]) => part !== undefined)
  const parts = Object.entries({ table, columns, batches, additive, destructive }).filter(
    ([, part]) => part !== undefined,
  )
  return `# Losing nothing

${parts.map(([name, part]) => takenLine(name, part)).join('\n')}

| question | measured | target | |
|---|---|---|---|
${[...tableRows(table), ...columnLines(columns), ...batchLines(batches), ...releases.map(([name, part]) => releaseRow(name, part))].join('\n')}
${releases.length > 0 ? phaseTable(releases) : ''}
What was checked: of the table that came back, its digest; of the columns, that restoring told every row as back; of the release, nothing,
since its clients change the rows meanwhile.
`
}

function takenLine(name, { machine, loaded, quick }) {
  const { date, commit, node, postgres, platform, processors, processor, memoryGb, loadAtStart } = machine
  const warnings = [
    ...(loaded ? ['**The machine was busy with other work: an idle one is faster.**'] : []),
    ...(quick ? ['**A quick run: too small to judge.**'] : []),
  ]
  return [
    `- *${name}*: ${date}, ${commit ?? 'an unknown commit'}, ${processors} × ${processor}, ${memoryGb} GB, ${platform}, Node ${node}, PostgreSQL ${postgres} with its defaults; load ${loadAtStart} at the start.`,
    ...warnings,
  ].join(' ')
}

function tableRows(table) {
  if (!table) return []
  return [
    `| \`DROP TABLE\` of ${millions(table.rows)} rows, kept, beyond one row unkept | ${table.addedMs} ms | < ${table.targetAddedMs} ms | ${verdict(table.addedMs < table.targetAddedMs)} |`,
    `| the same, kept (median · most of three) · not kept | ${table.keptMs} ms · ${table.mostKeptMs} ms · ${table.unkeptMs} ms | | |`,
    `| a table of ${millions(table.restoredRows)} rows back | ${table.restoredMs} ms | | |`,
  ]
}

function columnLines(columns) {
  if (!columns) return []
  const { rows, archiveSeconds, restoreSeconds } = columns.extrapolated
  return [
    ...columns.sizes.map(size => columnRows(size, columns)),
    `| ${millions(rows)} rows, extrapolated | archive ${archiveSeconds} s, restore ${restoreSeconds} s | | |`,
  ]
}

function batchLines(batches) {
  if (!batches) return []
  const { rows, restoreSeconds } = batches.extrapolated
  return [
    ...batches.sizes.map(
      size =>
        `| a column of ${millions(size.rows)} rows back in batches, beside its users | ${perSecond(size.restoredPerSecond)}, ${size.restoreMs} ms | | |`,
    ),
    `| ${millions(rows)} rows, extrapolated | restore in batches ${restoreSeconds} s | | |`,
  ]
}

function phaseTable(releases) {
  const [[, { rows, clients }]] = releases
  return `
A release on a table of ${millions(rows)} rows, ${clients} clients, three reads to one write, 20 ms of thought between requests; milliseconds of a statement:

| release | phase | took | reads p50 · p99 · most | writes p50 · p99 · most |
|---|---|---|---|---|
${releases.flatMap(([name, part]) => phaseRows(name, part)).join('\n')}

*additive*: a column with a default, an index built concurrently, a constraint added and validated. No client writes the new column, so every row
holds its default, and nothing has to be written when it comes back: with values of users in it, that takes as long as in the destructive release.
*destructive*: a column with a value of its own in every row is dropped, comes back and is dropped again. A dropped column is copied beside its
readers and writers; one that comes back is made in a moment and filled in batches beside them. The p99 is that of the worst phase, not of the
whole release.
`
}

function columnRows({ rows, archiveMs, archivedPerSecond, restoreMs, restoredPerSecond }, columns) {
  const { targetArchivedPerSecond, targetRestoredPerSecond } = columns
  return `| \`DROP COLUMN\` of ${millions(rows)} rows into the archive | ${perSecond(archivedPerSecond)}, ${archiveMs} ms | ≥ ${perSecond(targetArchivedPerSecond)} | ${verdict(archivedPerSecond >= targetArchivedPerSecond)} |
| … and back in one piece, while the table is locked | ${perSecond(restoredPerSecond)}, ${restoreMs} ms | ≥ ${perSecond(targetRestoredPerSecond)} | ${verdict(restoredPerSecond >= targetRestoredPerSecond)} |`
}

function releaseRow(name, release) {
  const { totalMs, waits } = release
  const during = ['apply', 'rollback', 'again'].flatMap(phase =>
    waits[phase] ? [waits[phase].reads, waits[phase].writes] : [],
  )
  const worst = Math.max(...during.map(one => one.p99Ms))
  const most = Math.max(...during.map(one => one.mostMs))
  return `| ${name} release, apply + rollback + apply under load | ${totalMs} ms; p99 wait ${worst} ms, longest ${most} ms | p99 < ${release.targetWaitMs} ms | ${verdict(worst < release.targetWaitMs)} |`
}

function phaseRows(name, { times, waits }) {
  return ['rest', 'apply', 'rollback', 'again'].map(phase => {
    const { reads, writes } = waits[phase] ?? {}
    return `| ${name} | ${phase} | ${times[phase]} ms | ${spread(reads)} | ${spread(writes)} |`
  })
}

function spread(one) {
  return one ? `${one.p50Ms} · ${one.p99Ms} · ${one.mostMs}` : '–'
}

function millions(rows) {
  return rows >= 1_000_000 ? `${rows / 1_000_000} M` : `${rows / 1000} k`
}

function perSecond(rate) {
  return `${(rate / 1_000_000).toFixed(2)} M rows/s`
}

function verdict(met) {
  return met ? 'met' : 'missed'
}
