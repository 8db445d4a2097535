import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { nouns } from '../../cli/nouns.ts'

/** The commands that do something, each with all its words. */
function leavesOf(command: Command, before: readonly string[] = []): (readonly [string, Command])[] {
  const words = [...before, command.name()]
  return command.commands.length === 0
    ? [[words.join(' '), command]]
    : command.commands.flatMap((child) => leavesOf(child, words))
}

function helpOf(command: Command): string {
  let printed = ''
  command.configureOutput({ writeOut: (text) => (printed += text) }).outputHelp()
  return printed
}

const shown = Object.values(nouns).filter(({ hidden = false }) => !hidden)
const leaves = (await Promise.all(shown.map(({ load }) => load()))).flatMap((command) => leavesOf(command))

describe('--help', () => {
  test.for(leaves)('%s has an example of itself', ([words, command]) => {
    expect(helpOf(command)).toMatch(new RegExp(`\\n {2}(?:.*[|;] )?sallyport ${words}\\b`))
  })
})
