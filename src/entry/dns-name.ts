import { domainToASCII, domainToUnicode } from 'node:url'

/** The longest name and label of the DNS, in characters. */
const NAME_MAX = 253
const LABEL_MAX = 63

/** Why a text may not be a DNS name of an SVID, or undefined when it may: host names in ASCII, one leading `*` label allowed. */
export function dnsNameProblem(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > NAME_MAX) return `is longer than ${NAME_MAX} characters`
  if (name.endsWith('.')) return 'ends with a dot'
  const labels = name.split('.')
  if (labels[0] === '*') {
    if (labels.length === 1) return 'is a wildcard for every name'
    labels.shift()
  }
  for (const label of labels) {
    const why = labelProblem(label)
    if (why !== undefined) return why
  }
  return undefined
}

function labelProblem(label: string): string | undefined {
  if (label === '') return 'has an empty label'
  if (label.length > LABEL_MAX) return `has a label longer than ${LABEL_MAX} characters`
  if (label.includes('*')) return 'has a wildcard that is not its first label'
  if (!/^[A-Za-z0-9-]+$/.test(label)) return 'has a character other than a-z A-Z 0-9 -'
  if (label.startsWith('-') || label.endsWith('-')) return 'has a label that starts or ends with a hyphen'
  if (label.slice(2, 4) === '--') {
    if (!/^xn--/i.test(label)) return 'has a label with hyphens in third and fourth place'
    if (!isPunycode(label.toLowerCase())) return 'has a label that is not valid punycode'
  }
  return undefined
}

/** Node returns what it cannot decode unchanged. */
function isPunycode(label: string): boolean {
  const decoded = domainToUnicode(label)
  return decoded !== label && domainToASCII(decoded) === label
}
