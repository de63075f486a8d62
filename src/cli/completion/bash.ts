/** Completion for bash 4 and later, with nothing else installed. */
import { type Choice, type Place, quoted } from './tree.ts'

export function bashScript(places: readonly Place[]): string {
  return `# Completion of plinth for bash. Load it with: eval "$(plinth completion bash)"
_plinth() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path= index words=
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${path:+$path }\${COMP_WORDS[index]}" in
${pathsOf(places)}) path="\${path:+$path }\${COMP_WORDS[index]}" ;;
    esac
  done
  COMPREPLY=()
  case "$path $previous" in
${places.flatMap(valueCases).join('\n')}
  esac
  case "$path" in
${places.map(place => `    ${quoted(place.path)}) words=${quoted(wordsOf(place))} ;;`).join('\n')}
  esac
  local word
  for word in $words; do
    [[ $word == "$current"* && ( $current == -* || $word != -* ) ]] && COMPREPLY+=("$word")
  done
  case "$path" in
${filePaths(places)}) [[ $current == -* ]] || { compopt -o filenames 2>/dev/null; mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current"); } ;;
  esac
}
complete -F _plinth plinth
`
}

function pathsOf(places: readonly Place[]): string {
  return `      ${places.flatMap(({ path }) => (path === '' ? [] : [quoted(path)])).join('|')}`
}

function filePaths(places: readonly Place[]): string {
  return `    ${places.flatMap(({ path, files }) => (files === 'yes' ? [quoted(path)] : [])).join('|')}`
}

function wordsOf({ words, options }: Place): string {
  return [...words.map(({ word }) => word), ...options.map(({ name }) => name)].join(' ')
}

function valueCases({ path, options }: Place): string[] {
  return options.flatMap(option => {
    const answer = answerOf(option)
    return answer === null ? [] : [`    ${quoted(`${path} ${option.name}`)}) ${answer} return ;;`]
  })
}

function answerOf({ takes }: Choice): string | null {
  if (takes === 'nothing') return null
  if (takes === 'anything') return ''
  if (typeof takes !== 'string') return `COMPREPLY=($(compgen -W ${quoted(takes.join(' '))} -- "$current"));`
  const kind = takes === 'folder' ? 'd' : 'f'
  return `compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -${kind} -- "$current");`
}
