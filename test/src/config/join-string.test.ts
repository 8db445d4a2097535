import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseJoinString, printJoinString } from '../../../src/config/join-string.ts'

const invitation = {
  trustDomain: 'example.org',
  serverAddress: '10.0.0.5:8081',
  authorityHashes: [Buffer.alloc(32, 7)],
  token: 'f00d',
}

test('a join string is read back whole', () => {
  const read = parseJoinString(`${printJoinString(invitation)}\n`)
  expect({ ...read, trustDomain: read.trustDomain.name }).toEqual(invitation)
})

test.for([
  ['', 'it is empty'],
  ['hello', 'does not start with'],
  [printJoinString(invitation).slice(0, -9), 'damaged'],
  [printJoinString({ ...invitation, token: '' }), 'a field is missing'],
  [printJoinString({ ...invitation, authorityHashes: [] }), 'the hash of the CA is missing'],
  [printJoinString({ ...invitation, authorityHashes: [Buffer.alloc(20)] }), 'not 32 bytes'],
  ['x'.repeat(5000), 'longer than'],
] as const)('refuses a join string, without printing it: case %#', ([text, why]) => {
  expect(() => parseJoinString(text)).toThrowCode('JOIN_STRING_INVALID', why)
  if (text !== '') expect(() => parseJoinString(text)).not.toThrow(text)
})

test('on any text returns an invitation or a SallyportError', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(() => parseJoinString(`sallyport-join-1.${Buffer.from(text).toString('base64url')}`)).toThrow(
        /join string|trust domain/,
      )
    }),
  )
})
