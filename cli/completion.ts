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
      process.stdout.write(script(stepsOf(command.parent ?? command)))
    })
}

/** What may follow one command path, which is written `/entry/create`. */
interface Step {
  readonly path: string
  readonly commands: readonly string[]
  readonly options: readonly Option[]
}

function stepsOf(root: Command): readonly Step[] {
  const visit = (command: Command, path: string): Step[] => {
    const own = command === root ? [] : command.options
    // The version is asked of the whole, and completion completes itself.
    const globals = root.options.filter(({ long }) => command === root || long !== '--version')
    // What commander hides from its help is not for people.
    const children = command
      .createHelp()
      .visibleCommands(command)
      .filter((child) => child.name() !== 'help')
    const step = { path, commands: children.map((child) => child.name()), options: [...own, ...globals] }
    return [step, ...children.flatMap((child) => visit(child, `${path}/${child.name()}`))]
  }
  return visit(root, '')
}

const namesOf = (option: Option): string[] => [option.short, option.long].filter((name) => name !== undefined)
const takesValue = (option: Option): boolean => option.required || option.optional
const wordsOf = ({ path, commands, options }: Step): string[] => [
  ...(path === '/completion' ? Object.keys(scripts) : commands),
  ...options.flatMap(({ long }) => long ?? []),
  '--help',
]

const scripts = {
  bash: (steps: readonly Step[]): string => `_sallyport() {
  local current=\${COMP_WORDS[COMP_CWORD]} path= previous= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$previous" in
      ${valueOptions(steps).join('|')}) ;;
      *) case "$path/$word" in ${steps.flatMap(({ path }) => (path === '' ? [] : path)).join('|')}) path=$path/$word ;; esac ;;
    esac
    previous=$word
  done
  COMPREPLY=()
  case "$path $previous" in
${steps.flatMap(choiceCases).join('\n')}
  esac
  case "$previous" in
    ${valueOptions(steps).join('|')}) return ;; # a value: files
  esac
  case "$path" in
${steps.map((step) => `    "${step.path}") COMPREPLY=($(compgen -W "${wordsOf(step).join(' ')}" -- "$current")) ;;`).join('\n')}
  esac
}
complete -o default -F _sallyport sallyport
`,
  zsh: (steps: readonly Step[]): string => `autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${scripts.bash(steps)}`,
  fish: (steps: readonly Step[]): string =>
    steps
      .flatMap((step) => {
        const condition = fishCondition(step)
        const commands = step.path === '/completion' ? Object.keys(scripts) : step.commands
        return [
          ...(commands.length === 0 ? [] : [`complete -c sallyport -f -n '${condition}' -a '${commands.join(' ')}'`]),
          ...step.options.map((option) => `complete -c sallyport -n '${condition}' ${fishOption(option)}`),
        ]
      })
      .join('\n')
      .concat('\n'),
}

function valueOptions(steps: readonly Step[]): string[] {
  return [...new Set(steps.flatMap(({ options }) => options.filter(takesValue).flatMap(namesOf)))]
}

/** Values that are known: `--output` → table json yaml. */
function choiceCases({ path, options }: Step): string[] {
  return options.flatMap((option) =>
    option.argChoices === undefined
      ? []
      : `    "${path} ${option.long}") COMPREPLY=($(compgen -W "${option.argChoices.join(' ')}" -- "$current")); return ;;`,
  )
}

function fishCondition({ path, commands }: Step): string {
  const seen = path
    .split('/')
    .slice(1)
    .map((word) => `__fish_seen_subcommand_from ${word}`)
  const none = path === '' ? ['__fish_use_subcommand'] : []
  const notYet = path === '' || commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.join(' ')}`]
  return [...none, ...seen, ...notYet].join('; and ')
}

function fishOption({ long, short, argChoices, required }: Option): string {
  const names = `${short === undefined ? '' : `-s ${short.slice(1)} `}-l ${(long ?? '').slice(2)}`
  if (argChoices !== undefined) return `${names} -x -a '${argChoices.join(' ')}'`
  return required ? `${names} -r` : names
}
