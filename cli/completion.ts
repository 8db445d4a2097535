import { Command, type Option } from 'commander'

/** Prints a script that completes commands and options in a shell; the words come from the commands themselves. */
export function completionCommand(): Command {
  const command = new Command('completion')
  return command
    .description('print a completion script for bash, zsh or fish')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(sallyport completion bash)\n  sallyport completion fish > ~/.config/fish/completions/sallyport.fish',
    )
    .action((shell: string) => {
      const script = scripts[shell as keyof typeof scripts]
      if (script === undefined) return command.error(`error: unknown shell "${shell}": use bash, zsh or fish`)
      process.stdout.write(script(wordsOf(command.parent ?? command)))
    })
}

/** Words that may follow each command path: `entry` → `create list …`, `entry create` → `--spiffe-id …`. */
type Words = ReadonlyMap<string, readonly string[]>

function wordsOf(root: Command): Words {
  const words = new Map<string, readonly string[]>()
  const globals = root.options.map(longName)
  const visit = (command: Command, path: readonly string[]): void => {
    const own = command === root ? [] : command.options.map(longName)
    words.set(path.join(' '), [...command.commands.map((child) => child.name()), ...own, ...globals, '--help'])
    for (const child of command.commands) visit(child, [...path, child.name()])
  }
  visit(root, [])
  return words
}

const longName = (option: Option): string => option.long ?? option.short ?? ''

const scripts = {
  bash: (words: Words): string => `_sallyport() {
  local path="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases(words)}
  esac
}
complete -o default -F _sallyport sallyport
`,
  zsh: (words: Words): string => `autoload -U +X bashcompinit && bashcompinit
${scripts.bash(words)}`,
  fish: (words: Words): string =>
    [...words]
      .flatMap(([path, next]) => {
        const steps = path === '' ? [] : path.split(' ')
        const condition =
          steps.length === 0
            ? '__fish_use_subcommand'
            : steps.map((step) => `__fish_seen_subcommand_from ${step}`).join('; and ')
        const commands = next.filter((word) => !word.startsWith('-'))
        const options = next.filter((word) => word.startsWith('--'))
        return [
          ...(commands.length === 0 ? [] : [`complete -c sallyport -f -n '${condition}' -a '${commands.join(' ')}'`]),
          ...options.map((option) => `complete -c sallyport -n '${condition}' -l ${option.slice(2)}`),
        ]
      })
      .join('\n')
      .concat('\n'),
}

function cases(words: Words): string {
  const line = ([path, next]: readonly [string, readonly string[]]): string =>
    `    ${path === '' ? '""' : `"${path}"${path.includes(' ') ? '*' : ''}`}) COMPREPLY=($(compgen -W "${next.join(' ')}" -- "\${COMP_WORDS[COMP_CWORD]}")) ;;`
  return [...words].map(line).join('\n')
}
