// Processor time of this process and of the server beside it, in seconds. Only Linux tells of other processes; elsewhere it is this one's.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const ticksPerSecond = (() => {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  } catch {
    return 100
  }
})()

/** Of this process and of all processes of the server that listens at the URL's port, those that have ended included. */
export function cpuOf(url) {
  const own = process.cpuUsage()
  return (own.user + own.system) / 1e6 + serverSeconds(new URL(url).port)
}

function serverSeconds(port) {
  let all
  try {
    all = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  } catch {
    return 0
  }
  const postmaster = all.find(pid => {
    const words = read(`/proc/${pid}/cmdline`).split('\0')
    return words[0].endsWith('postgres') && words.includes(`port=${port}`)
  })
  if (!postmaster) return 0
  // The postmaster counts what its children used, once they have ended.
  const family = all.filter(pid => pid === postmaster || statOf(pid)[1] === postmaster)
  return (
    family.reduce((sum, pid) => {
      const stat = statOf(pid)
      // One that ended since it was listed has no line any more; its time is its parent's by then.
      if (stat.length < 15) return sum
      const own = Number(stat[11]) + Number(stat[12])
      return sum + own + (pid === postmaster ? Number(stat[13]) + Number(stat[14]) : 0)
    }, 0) / ticksPerSecond
  )
}

/** Fields behind the name, which may hold anything: state, parent, …, user and system time at 11 and 12, of children at 13 and 14. */
function statOf(pid) {
  const text = read(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
