/** Completion for fish, with what each word means beside it. */
import type { Choice, Place } from './tree.ts'

export function fishScript(places: readonly Place[]): string {
  return `# Completion of plinth for fish. Load it with: plinth completion fish | source
function __plinth_at --argument-names wanted
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch (string trim "$at $word")
            case ${places.flatMap(({ path }) => (path === '' ? [] : [quoted(path)])).join(' ')}
                set at (string trim "$at $word")
        end
    end
    test "$at" = "$wanted"
end
complete -c plinth -e
complete -c plinth -f
${places.flatMap(linesOf).join('\n')}
`
}

function linesOf({ path, words, options, files }: Place): string[] {
  const here = `complete -c plinth -n ${quoted(`__plinth_at ${quoted(path)}`)}`
  return [
    ...words.map(({ word, summary }) => `${here} -a ${quoted(word)} -d ${quoted(summary)}`),
    ...options.map(
      option => `${here} -l ${option.name.replace(/^--/, '')}${valueOf(option)} -d ${quoted(option.summary)}`,
    ),
    ...(files === 'yes' ? [`${here} -F`] : []),
  ]
}

function valueOf({ takes }: Choice): string {
  if (takes === 'nothing') return ''
  if (takes === 'anything') return ' -x'
  if (takes === 'file') return ' -r -F'
  if (takes === 'folder') return ` -x -a '(__fish_complete_directories)'`
  return typeof takes === 'string' ? '' : ` -x -a ${quoted(takes.join(' '))}`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
