// The results as tables for people.

export function writePreserveTable({ machine, loaded, quick, rows, table, columns, release }) {
  const { date, commit, node, postgres, platform, processors, processor, memoryGb, loadAtStart } = machine
  return `# Losing nothing

Taken on ${date} at ${commit ?? 'an unknown commit'}: ${processors} × ${processor}, ${memoryGb} GB, ${platform}, Node ${node}, PostgreSQL ${postgres} with its defaults; load ${loadAtStart} at the start.
${loaded ? '**The machine was busy with other work: an idle one is faster.**\n' : ''}${quick ? '**A quick run: too small to judge.**\n' : ''}
| question | measured | target | |
|---|---|---|---|
| \`DROP TABLE\` of ${millions(rows)} rows, kept, beyond one row unkept | ${table.addedMs} ms | < ${table.targetAddedMs} ms | ${verdict(table.addedMs < table.targetAddedMs)} |
| the same, kept (least of three) · not kept | ${table.leastKeptMs} ms · ${table.unkeptMs} ms | | |
| the table back | ${table.restoredMs} ms | | |
${columns.sizes.map(size => columnRows(size, columns)).join('\n')}
| ${millions(columns.extrapolated.rows)} rows, extrapolated | archive ${columns.extrapolated.archiveSeconds} s, restore ${columns.extrapolated.restoreSeconds} s | | |
${['additive', 'destructive'].map(name => releaseRow(name, release)).join('\n')}

A release on a table of ${millions(release.rows)} rows, ${release.clients} clients, three reads to one write, 20 ms of thought between requests; milliseconds of a statement:

| release | phase | took | reads p50 · p99 · most | writes p50 · p99 · most |
|---|---|---|---|---|
${['additive', 'destructive'].flatMap(name => phaseRows(name, release[name])).join('\n')}

Every figure stands for data that came back: rows and digests were compared after each step (\`preserve/stage.js\`).
*additive*: a column with a default, an index built concurrently, a constraint added and validated. *destructive*: a column with a value in every row
is dropped, comes back and is dropped again; each of these holds the table for as long as it copies or restores.
`
}

function columnRows({ rows, archiveMs, archivedPerSecond, restoreMs, restoredPerSecond }, columns) {
  const { targetArchivedPerSecond, targetRestoredPerSecond } = columns
  return `| \`DROP COLUMN\` of ${millions(rows)} rows into the archive | ${perSecond(archivedPerSecond)}, ${archiveMs} ms | ≥ ${perSecond(targetArchivedPerSecond)} | ${verdict(archivedPerSecond >= targetArchivedPerSecond)} |
| … and back | ${perSecond(restoredPerSecond)}, ${restoreMs} ms | ≥ ${perSecond(targetRestoredPerSecond)} | ${verdict(restoredPerSecond >= targetRestoredPerSecond)} |`
}

function releaseRow(name, release) {
  const { totalMs, waits } = release[name]
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
