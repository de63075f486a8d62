import { relative } from 'node:path'
import type { CommandSpec } from '../command.ts'
import { count, paint } from '../print.ts'

export const docsGenerate: CommandSpec = {
  name: 'docs generate',
  summary: 'write the data dictionary and the ERD from the migrations',
  description:
    'Applies the migrations to scratch databases and writes what they make, with the class of each column. Files that are current are not touched.',
  group: 'contract',
  examples: ['plinth docs generate'],
  async run({ foundation }) {
    const written = await foundation.generateDocs()
    const folder = relative(process.cwd(), foundation.config.docs)
    const changed = written.filter(({ change }) => change !== 'unchanged')
    const lines = changed.map(({ file, change }) => `${change} ${folder}/${file}`)
    return {
      data: { folder: foundation.config.docs, files: written },
      text: lines.length > 0 ? lines.join('\n') : `All ${count(written.length, 'document')} in ${folder} are current.`,
    }
  },
}

export const docsCheck: CommandSpec = {
  name: 'docs check',
  summary: 'tell which documents differ from what the migrations make',
  description:
    'For continuous integration: exit status 3 with a short diff when a document is stale, missing or left over, or when a column has no class.',
  group: 'contract',
  examples: ['plinth docs check', 'plinth docs check --json'],
  async run({ foundation }) {
    const files = await foundation.checkDocs()
    const classification = await foundation.checkClassificationIfAny()
    const findings = classification ?? []
    const wrong = files.filter(({ state }) => state !== 'current')
    const errors = findings.filter(({ severity }) => severity === 'error')
    const lines = [
      ...wrong.map(({ file, state, diff }) => [paint.red(`${file} is ${state}`), diff].filter(Boolean).join('\n')),
      ...findings.map(
        ({ object, message, hint, severity }) =>
          `${severity === 'error' ? paint.red(object) : paint.yellow(object)}: ${message} ${hint}`,
      ),
      wrong.length > 0
        ? 'Run `plinth docs generate` and commit the result.'
        : `All ${count(files.length, 'document')} are current.`,
      errors.length > 0
        ? `${count(errors.length, 'column or table', 'columns or tables')} of the classification need work.`
        : classification === null
          ? `No column is classified: there is no ${relative(process.cwd(), foundation.config.classification)}.`
          : 'Every column is classified.',
    ]
    return {
      data: { files, classification },
      text: lines.join('\n'),
      exit: wrong.length > 0 || errors.length > 0 ? 3 : 0,
    }
  },
}
