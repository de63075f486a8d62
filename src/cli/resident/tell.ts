/** What `stop` and `doctor` say to a resident. */
import { connect } from 'node:net'
import { frameOf, frameReader } from './frames.ts'
import { lookAt, socketName, stateFolderNear } from './place.ts'
import type { Question, Who } from './question.ts'

/** Null where none answers. `state` is the project's state folder. */
export async function whoIsResident(state: string | null = stateFolderNear()): Promise<Who | null> {
  return state === null ? null : tell(state, { ask: 'who' })
}

/** It answers who it was; a call that it has begun is answered first. Null where there was none. */
export async function dismissResident(state: string | null = stateFolderNear()): Promise<Who | null> {
  return state === null ? null : tell(state, { ask: 'leave' })
}

const answerMsMax = 2000

async function tell(state: string, question: Question): Promise<Who | null> {
  if (process.platform === 'win32' || lookAt(state) !== 'socket') return null
  const path = `${state}/${socketName}`
  return new Promise(resolve => {
    const socket = connect(path)
    const read = frameReader()
    let who: Who | null = null
    const timer = setTimeout(() => socket.destroy(), answerMsMax)
    socket
      .on('data', chunk => {
        for (const { letter, bytes } of read(chunk))
          if (letter === 'out') who = JSON.parse(bytes.toString('utf8')) as Who
      })
      .on('error', () => socket.destroy())
      .on('close', () => {
        clearTimeout(timer)
        resolve(who)
      })
    socket.write(frameOf('question', JSON.stringify(question)))
    socket.write(frameOf('input'))
  })
}
