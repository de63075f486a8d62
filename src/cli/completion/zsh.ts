/** Completion for zsh, with what each word means beside it. */
import { type Choice, type Place, quoted } from './tree.ts'

export function zshScript(places: readonly Place[]): string {
  return `#compdef plinth
# Completion of plinth for zsh. Load it behind compinit with: eval "$(plinth completion zsh)"
_plinth() {
  local at='' index
  local -a known options
  for ((index = 2; index < CURRENT; index++)); do
    case "\${at:+$at }\${words[index]}" in
      (${places.flatMap(({ path }) => (path === '' ? [] : [quoted(path)])).join('|')}) at="\${at:+$at }\${words[index]}" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${places.flatMap(valueCases).join('\n')}
  esac
  case "$at" in
${places.map(placeCase).join('\n')}
  esac
  [[ $PREFIX == -* ]] && { _describe -o option options; return }
  (( $#known )) && _describe command known
  case "$at" in
    (${places.flatMap(({ path, files }) => (files === 'yes' ? [quoted(path)] : [])).join('|')}) _files ;;
  esac
}
if [ "$funcstack[1]" = _plinth ]; then _plinth "$@"; else compdef _plinth plinth; fi
`
}

function placeCase({ path, words, options }: Place): string {
  const known = words.map(({ word, summary }) => described(word, summary))
  const own = options.map(({ name, summary }) => described(name, summary))
  return `    (${quoted(path)}) known=(${known.join(' ')}); options=(${own.join(' ')}) ;;`
}

function valueCases({ path, options }: Place): string[] {
  return options.flatMap(option => {
    const answer = answerOf(option)
    return answer === null ? [] : [`    (${quoted(`${path} ${option.name}`)}) ${answer}return ;;`]
  })
}

function answerOf({ takes, summary }: Choice): string | null {
  if (takes === 'nothing') return null
  if (takes === 'anything') return `_message ${quoted(summary)}; `
  if (takes === 'folder') return '_files -/; '
  if (takes === 'file') return '_files; '
  return typeof takes === 'string' ? null : `compadd -- ${takes.map(quoted).join(' ')}; `
}

/** A colon ends the word. */
function described(word: string, summary: string): string {
  return quoted(`${word.replaceAll(':', String.raw`\:`)}:${summary}`)
}
