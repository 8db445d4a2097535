import protobuf from 'protobufjs'

export function packageOf(member: protobuf.ReflectionObject): string {
  let parent = member.parent
  while (parent instanceof protobuf.Type) parent = parent.parent
  return parent?.fullName.replace(/^\./, '') ?? ''
}

export const fileOf = (packageName: string): string =>
  `${packageName === '' ? 'spiffe-workload' : packageName.replaceAll('.', '-')}.ts`

export function localName(member: protobuf.ReflectionObject): string {
  const names = [member.name]
  for (let parent = member.parent; parent instanceof protobuf.Type; parent = parent.parent) names.unshift(parent.name)
  return names.map(wordCase).join('')
}

/** `FetchX509SVID` → `FetchX509Svid`: acronyms are words. */
export const wordCase = (name: string): string =>
  name.replace(
    /SPIFFE|HTTPS|SVID|PID|JWT|WIT|API|CA(?![a-z])|ID(?![a-z])/g,
    (acronym) => acronym[0] + acronym.slice(1).toLowerCase(),
  )
export const lowerFirst = (name: string): string => name[0]!.toLowerCase() + name.slice(1)

export const valueName = (member: protobuf.ReflectionObject): string =>
  `${lowerFirst(localName(member))}${member instanceof protobuf.Enum ? 'Numbers' : 'Type'}`

export const alias = (packageName: string): string =>
  packageName.replace(/\W(\w)/g, (_all, letter: string) => letter.toUpperCase())
