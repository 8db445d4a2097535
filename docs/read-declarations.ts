/** A TSDoc comment by its parts, in Markdown. */
export interface Comment {
  readonly text: string
  readonly parameters: readonly (readonly [name: string, text: string])[]
  readonly returns: readonly string[]
  readonly throws: readonly string[]
  readonly see: readonly string[]
  /** With their fences. */
  readonly examples: readonly string[]
}

export interface Declaration {
  readonly comment: Comment
  /** As the declarations have it, comments of members included, without what is private. */
  readonly code: string
}

/** What a file of declarations exports, by name. Overloads are one declaration. */
export function declarationsOf(text: string): ReadonlyMap<string, Declaration> {
  const found = new Map<string, Declaration>()
  const pattern = /^export (?:declare )?(?:abstract )?(class|interface|type|function|const) (\w+)/gm
  for (const match of text.matchAll(pattern)) {
    const [, kind = '', name = ''] = match
    const code = withoutPrivate(
      text.slice(match.index, endOf(text, match.index, kind)).replace(/^export (declare )?/, ''),
    )
    const before = found.get(name)
    found.set(name, {
      comment: before?.comment ?? commentBefore(text, match.index),
      code: before === undefined ? code : `${before.code}\n${code}`,
    })
  }
  return found
}

/** What a file says about itself: its comment with `@packageDocumentation`. */
export function packageCommentOf(text: string): string {
  const [, inside = ''] = /^\/\*\*([\s\S]*?)@packageDocumentation/m.exec(text) ?? []
  return commentOf(inside).text
}

/** A class or interface ends with its brace, everything else with a semicolon outside of any bracket. */
function endOf(text: string, start: number, kind: string): number {
  const endsWithBrace = kind === 'class' || kind === 'interface'
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const character = text[at]!
    if (text.startsWith('/*', at)) at = text.indexOf('*/', at) + 1
    else if (character === "'" || character === '"') at = text.indexOf(character, at + 1)
    else if ('{([<'.includes(character)) depth++
    else if ('})]'.includes(character) || (character === '>' && text[at - 1] !== '=')) {
      depth--
      if (depth === 0 && endsWithBrace && character === '}') return at + 1
    } else if (character === ';' && depth === 0 && !endsWithBrace) return at + 1
  }
  return text.length
}

const withoutPrivate = (code: string): string =>
  code
    .replaceAll(/^\s*(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?(#private|private [^;]*);\n/gm, '')
    .replaceAll(/^ {4}/gm, '  ')
    .replaceAll(/^ {6}\*/gm, '   *')

function commentBefore(text: string, at: number): Comment {
  const before = text.slice(0, at).trimEnd()
  if (!before.endsWith('*/')) return commentOf('')
  return commentOf(before.slice(before.lastIndexOf('/**') + 3, -2))
}

function commentOf(inside: string): Comment {
  const lines = inside.split('\n').map((line) => line.replace(/^\s*\*? ?/, ''))
  const [text = '', ...tagged] = lines.join('\n').split(/^@(?=\w)/m)
  const blocks = tagged.map((block) => {
    const [, tag = '', rest = ''] = /^(\w+)\s*([\s\S]*)$/.exec(block) ?? []
    return { tag, rest: markdown(rest) }
  })
  const of = (tag: string): string[] => blocks.filter((block) => block.tag === tag).map(({ rest }) => rest)
  return {
    text: markdown(text),
    parameters: of('param').map((rest) => {
      const [, name = '', meaning = ''] = /^(\w+)\s+([\s\S]*)$/.exec(rest) ?? []
      return [name, meaning] as const
    }),
    returns: of('returns'),
    throws: of('throws').map((rest) => rest.replace(/^`SallyportError`\s*/, '')),
    see: of('see'),
    examples: of('example'),
  }
}

const markdown = (text: string): string => text.replaceAll(/\{@link (\w+)\}/g, '`$1`').trim()
