import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import fc from 'fast-check'
import { httpbis } from 'http-message-signatures'
import { describe, expect, test, vi } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import {
  checkRequestSignature,
  checkResponseSignature,
  findSignature,
  type RequestSignatureCheck,
} from '../../../src/wit/check-signature.ts'
import { checkContentDigest, contentDigestOf } from '../../../src/wit/content-digest.ts'
import { HeaderFields } from '../../../src/wit/header-fields.ts'
import { parseDictionary } from '../../../src/wit/parse-structured-field.ts'
import { type RequestSigningOrder, signRequest, signResponse } from '../../../src/wit/sign-message.ts'
import { signatureBase, type SignedMessage, type SignedRequest } from '../../../src/wit/signature-base.ts'
import { isInnerList, stringItem } from '../../../src/wit/structured-field.ts'
import { addresseeOf } from '../../../src/wit/target.ts'
import { type Keys, ecKeys, heldWit, now, seconds, vectors, witClaims, workloadKeys } from './wit-world.ts'

const svid = heldWit()
const service = heldWit({ sub: 'spiffe://example.org/api' })
const audience = 'https://api.example.org/v1/items'
const addressee = addresseeOf({ origins: ['https://api.example.org'] })
const order: RequestSigningOrder = { audience, tokenFields: [], signResponse: false, now }
const empty = new Uint8Array()

type Headers = Readonly<Record<string, string>>
const fieldsOf = (headers: Headers = {}): HeaderFields => HeaderFields.of(Object.entries(headers))
const requestWith = (headers: Headers = {}, changes: Partial<SignedRequest> = {}): SignedRequest => ({
  method: 'POST',
  target: '/v1/items?q=1',
  fields: fieldsOf(headers),
  ...changes,
})

/** Signs a request; gives the headers that the receiver sees. */
async function signedHeaders(headers: Headers = {}, body = empty, changes: Partial<RequestSigningOrder> = {}) {
  const signed = await signRequest(requestWith(headers), body, svid, { ...order, ...changes })
  return { headers: { ...headers, ...signed.headers }, nonce: signed.nonce }
}

async function check(request: SignedRequest, changes: Partial<RequestSignatureCheck> = {}, wit = svid) {
  const found = findSignature(request.fields)
  if (found === undefined) throw new TypeError('there is no signature')
  return checkRequestSignature(found, request, wit, { addressee, tokenFields: [], now, ...changes })
}

/** A signature by hand, so that the sources under test do not make their own inputs. */
function signedByHand(covered: string, request: SignedRequest, parameters: string, keys: Keys = workloadKeys): Headers {
  const input = `(${covered})${parameters}`
  const fields = request.fields.with({ 'workload-identity-token': svid.token })
  const lines = covered
    .split(' ')
    .filter((name) => name !== '')
    .map((quoted) => {
      const name = quoted.slice(1, -1)
      const value =
        name === '@method' ? request.method : name === '@request-target' ? request.target : fields.combined(name)
      return `${quoted}: ${value ?? ''}`
    })
  const base = [...lines, `"@signature-params": ${input}`].join('\n')
  const signature = sign('sha256', Buffer.from(base), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' })
  return {
    'workload-identity-token': svid.token,
    'signature-input': `wimse=${input}`,
    signature: `wimse=:${signature.toString('base64')}:`,
  }
}

const goodCovered = '"@method" "@request-target" "workload-identity-token"'
const parametersWith = (changes: Readonly<Record<string, string | undefined>> = {}): string =>
  Object.entries({
    created: String(seconds),
    expires: String(seconds + 60),
    nonce: '"abcd1111"',
    tag: '"wimse-workload-to-workload"',
    'wimse-aud': `"${audience}"`,
    ...changes,
  })
    .flatMap(([name, value]) => (value === undefined ? [] : [`;${name}=${value}`]))
    .join('')
/** Checks a request that was signed by hand. */
const checkByHand = (
  changes: Readonly<Record<string, string | undefined>> = {},
  covered = goodCovered,
  headers: Headers = {},
  checkChanges: Partial<RequestSignatureCheck> = {},
) => {
  const request = requestWith(headers)
  const added = signedByHand(covered, request, parametersWith(changes))
  return check({ ...request, fields: request.fields.with(added) }, checkChanges)
}

describe('signRequest()', () => {
  test('HS-01 HS-04 HS-05 covers method, target and WIT-SVID, and says when, once, what for and whom for', async () => {
    const { headers, nonce } = await signedHeaders()
    expect(headers['workload-identity-token']).toBe(svid.token)
    expect(headers['signature-input']).toBe(
      `wimse=("@method" "@request-target" "workload-identity-token");created=${seconds};expires=${seconds + 60};nonce="${nonce}";tag="wimse-workload-to-workload";wimse-aud="${audience}"`,
    )
    expect(headers).not.toHaveProperty('content-digest')
  })

  test('HS-01 HS-03 covers what else is there, and a body by its digest', async () => {
    const body = Buffer.from('{"a":1}')
    const given = {
      'content-type': 'application/json',
      authorization: 'Bearer t',
      'txn-token': 'x',
      'x-api-key': 'k',
      'x-other': 'o',
    }
    const { headers } = await signedHeaders(given, body, { tokenFields: ['x-api-key'] })
    expect(headers['content-digest']).toBe(`sha-256=:${createHash('sha256').update(body).digest('base64')}:`)
    expect(headers['signature-input']).toContain(
      '("@method" "@request-target" "workload-identity-token" "content-type" "content-digest" "authorization" "txn-token" "x-api-key")',
    )
    const request = requestWith(headers)
    const proven = await check(request, { tokenFields: ['x-api-key'] })
    expect(proven.coveredTokens).toEqual(new Set(['authorization', 'txn-token', 'x-api-key']))
    checkContentDigest(request.fields, body)
  })

  test('HS-01 covers a header once, however often it is said to carry a token', async () => {
    const tokenFields = ['x-api-key', 'x-api-key', 'authorization', 'workload-identity-token']
    const { headers } = await signedHeaders({ authorization: 'Bearer t', 'x-api-key': 'k' }, empty, { tokenFields })
    const proven = await check(requestWith({}, { fields: fieldsOf(headers) }), { tokenFields })
    expect([...proven.coveredTokens]).toEqual(expect.arrayContaining(['authorization', 'x-api-key']))
  })

  test('HS-06 asks for a signed answer with a Boolean', async () => {
    const { headers, nonce } = await signedHeaders({}, empty, { signResponse: true })
    expect(headers['signature-input']).toMatch(/;wimse-sign-response$/)
    expect((await check(requestWith(headers))).answer).toEqual({ nonce, mustBeSigned: true })
  })

  test('HS-11 no two nonces are the same', async () => {
    const nonces = await Promise.all(Array.from({ length: 200 }, async () => (await signedHeaders()).nonce))
    expect(new Set(nonces).size).toBe(200)
  })

  test('WI-31 the key is not used beyond the end of its WIT-SVID', async () => {
    const ended = heldWit({ exp: seconds })
    await expect(signRequest(requestWith(), empty, ended, order)).rejects.toThrowCode('WIT_SVID_EXPIRED')
  })

  test('refuses to sign a header that could not be verified', async () => {
    await expect(signedHeaders({ 'content-type': 'text/ü' })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'ASCII')
  })

  test('HS-08 an independent library verifies it with the key of the WIT-SVID', async () => {
    // That library asks the clock of the machine.
    const current = new Date()
    const living = heldWit({ exp: Math.floor(current.getTime() / 1000) + 3600 })
    const given = { 'content-type': 'text/plain', authorization: 'Bearer t' }
    const added = await signRequest(requestWith(given), Buffer.from('x'), living, { ...order, now: current })
    const isVerified = await httpbis.verifyMessage(
      {
        keyLookup: () =>
          Promise.resolve({
            verify: (data, signature) =>
              Promise.resolve(verify('sha256', data, { key: living.publicKey, dsaEncoding: 'ieee-p1363' }, signature)),
          }),
        requiredParams: ['created', 'expires', 'nonce', 'tag', 'wimse-aud'],
        requiredFields: ['@method', 'workload-identity-token', 'content-type', 'content-digest', 'authorization'],
      },
      { method: 'POST', url: 'https://api.example.org/v1/items?q=1', headers: { ...given, ...added.headers } },
    )
    expect(isVerified).toBe(true)
  })
})

describe('checkRequestSignature()', () => {
  test('HS-04 accepts a good signature and says what it is good for', async () => {
    expect(await checkByHand()).toEqual({
      proof: 'signature',
      proofId: 'abcd1111',
      expiresAt: new Date(now.getTime() + 90_000),
      coveredTokens: new Set(),
      answer: { nonce: 'abcd1111', mustBeSigned: false },
    })
  })

  test('HS-08 accepts what an independent library signed', async () => {
    const message = await httpbis.signMessage(
      {
        name: 'wimse',
        fields: ['@method', '@request-target', 'workload-identity-token', 'content-type'],
        params: ['created', 'expires', 'nonce', 'tag', 'wimse-aud'],
        paramValues: {
          created: now,
          expires: new Date(now.getTime() + 60_000),
          nonce: 'n',
          tag: 'wimse-workload-to-workload',
          'wimse-aud': audience,
        },
        key: {
          sign: (data) =>
            Promise.resolve(sign('sha256', data, { key: workloadKeys.privateKey, dsaEncoding: 'ieee-p1363' })),
        },
      },
      {
        method: 'POST',
        url: 'https://api.example.org/v1/items?q=1',
        headers: { 'Content-Type': ' text/plain ', 'Workload-Identity-Token': svid.token },
      },
    )
    expect((await check(requestWith(message.headers as Headers))).proofId).toBe('n')
  })

  test.for(['@method', '@request-target', 'workload-identity-token'])(
    'HS-01 refuses what does not cover %s',
    async (name) => {
      const covered = goodCovered.replace(`"${name}"`, '').replace(/ {2,}/g, ' ').trim()
      await expect(checkByHand({}, covered)).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', `does not cover "${name}"`)
    },
  )

  test.for(['content-type', 'content-digest', 'authorization', 'txn-token', 'x-api-key'])(
    'HS-01 refuses what does not cover %s where it is present',
    async (name) => {
      const headers = { [name]: 'x' }
      const changes = { tokenFields: ['x-api-key'] }
      await expect(checkByHand({}, goodCovered, headers, changes)).rejects.toThrowCode(
        'HTTP_SIGNATURE_INVALID',
        `does not cover "${name}"`,
      )
      expect((await checkByHand({}, `${goodCovered} "${name}"`, headers, changes)).proof).toBe('signature')
    },
  )

  test.for<readonly [string, Partial<SignedRequest>]>([
    ['method', { method: 'GET' }],
    ['target', { target: '/v1/items?q=2' }],
    ['path', { target: '/v1/other?q=1' }],
    ['content type', { fields: fieldsOf({ 'content-type': 'text/html' }) }],
    ['authorization', { fields: fieldsOf({ authorization: 'Bearer u' }) }],
  ])('HS-01 WI-30 refuses a request with another %s', async ([, changes]) => {
    const { headers } = await signedHeaders({ 'content-type': 'text/plain', authorization: 'Bearer t' })
    const request = requestWith(headers)
    expect((await check(request)).proof).toBe('signature')
    const fields = changes.fields === undefined ? request.fields : fieldsWith(headers, changes.fields)
    await expect(check({ ...request, ...changes, fields })).rejects.toThrowCode(
      'HTTP_SIGNATURE_INVALID',
      'not made with',
    )
  })

  test.for(['content-type', 'authorization', 'txn-token', 'workload-identity-token'])(
    'HS-01 refuses two headers %s, of which others may read the other',
    async (name) => {
      const { headers } = await signedHeaders({ 'content-type': 'text/plain', authorization: 'x', 'txn-token': 'y' })
      const fields = HeaderFields.of([...Object.entries(headers), [name.toUpperCase(), 'z']])
      await expect(check(requestWith({}, { fields }))).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'several headers')
    },
  )

  test.for(['created', 'expires', 'nonce', 'tag'])('HS-04 refuses a signature without %s', async (name) => {
    await expect(checkByHand({ [name]: undefined })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', `"${name}"`)
  })

  test.for([
    { created: '"1"' },
    { created: '1.5' },
    { created: '?1' },
    { expires: 'soon' },
    { nonce: '5' },
    { nonce: '""' },
    { nonce: 'abcd' },
    { nonce: `"${'x'.repeat(300)}"` },
    { tag: '"another"' },
    { tag: 'wimse-workload-to-workload' },
  ])('HS-04 refuses the parameters %j', async (changes) => {
    await expect(checkByHand(changes)).rejects.toThrowCode('HTTP_SIGNATURE_INVALID')
  })

  test.for([
    [{ expires: String(seconds - 30), created: String(seconds - 60) }, 'it ended'],
    [{ created: String(seconds + 31) }, 'to come'],
    [{ expires: String(seconds + 3600) }, 'more than 300 seconds'],
    [{ expires: String(seconds + 60), created: String(seconds - 300) }, 'more than 300 seconds'],
  ] as const)('HS-04 WI-27 refuses the times %j: %s', async ([changes, why]) => {
    await expect(checkByHand(changes)).rejects.toThrowCode('WIT_PROOF_EXPIRED', why)
  })

  test('HS-05 refuses a signature for nobody', async () => {
    await expect(checkByHand({ 'wimse-aud': undefined })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'wimse-aud')
    await expect(checkByHand({ 'wimse-aud': 'token' })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'wimse-aud')
  })

  test.for(['https://evil.test/v1/items', 'https://api.example.org/v1/other', 'api.example.org', ''])(
    'HS-05 refuses the wimse-aud %j',
    async (foreign) => {
      await expect(checkByHand({ 'wimse-aud': `"${foreign}"` })).rejects.toThrowCode('WIT_PROOF_AUDIENCE')
    },
  )

  test('HS-05 accepts an alias that was agreed on', async () => {
    const named = addresseeOf({ audiences: ['api'] })
    expect((await checkByHand({ 'wimse-aud': '"api"' }, goodCovered, {}, { addressee: named })).proof).toBe('signature')
  })

  test('HS-06 the wish for a signed answer is a Boolean', async () => {
    expect((await checkByHand({ 'wimse-sign-response': '?0' })).answer?.mustBeSigned).toBe(false)
    await expect(checkByHand({ 'wimse-sign-response': '1' })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID')
  })

  test.for(['keyid', 'alg'])(
    'HS-08 refuses the parameter %s: key and algorithm are those of the WIT-SVID',
    async (name) => {
      await expect(checkByHand({ [name]: '"ecdsa-p256-sha256"' })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', name)
    },
  )

  test('WI-23 refuses a signature by another key, and of another algorithm', async () => {
    const request = requestWith()
    const foreign = signedByHand(goodCovered, request, parametersWith(), ecKeys())
    await expect(check({ ...request, fields: fieldsOf(foreign) })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID')
    const bigger = heldWit(witClaims(ecKeys('secp384r1'), 'ES384'))
    const good = signedByHand(goodCovered, request, parametersWith())
    await expect(check({ ...request, fields: fieldsOf(good) }, {}, bigger)).rejects.toThrowCode(
      'HTTP_SIGNATURE_INVALID',
    )
  })

  test('HS-03 several lines of Content-Digest are the one list that they stand for', async () => {
    const { headers } = await signedHeaders({}, Buffer.from('x'), {})
    const [digest, sha512] = [headers['content-digest']!, 'sha-512=:AAAA:']
    const request = requestWith({ 'content-digest': `${digest}, ${sha512}` })
    const added = signedByHand(`${goodCovered} "content-digest"`, request, parametersWith())
    const fields = HeaderFields.of([...Object.entries(added), ['Content-Digest', digest], ['Content-Digest', sha512]])
    expect((await check({ ...request, fields })).proof).toBe('signature')
  })

  test('HS-09 ignores a second signature with another label, and finds its own beside it', async () => {
    const { headers } = await signedHeaders()
    const both = {
      ...headers,
      'signature-input': `proxy=("@method");keyid="p";alg="hmac-sha256", ${headers['signature-input']}`,
      signature: `proxy=:AAAA:, ${headers['signature']}`,
    }
    expect((await check(requestWith(both))).proof).toBe('signature')
    const lines = HeaderFields.of([
      ['Signature-Input', 'proxy=("@method")'],
      ...Object.entries(headers),
      ['Signature', 'proxy=:AAAA:'],
    ])
    expect((await check(requestWith({}, { fields: lines }))).proof).toBe('signature')
  })

  test('HS-09 takes the only signature with the tag, whatever its label; of several without its label none', async () => {
    const { headers } = await signedHeaders()
    const relabelled = (changes: Headers = {}) =>
      fieldsOf({
        ...headers,
        'signature-input': headers['signature-input']!.replace('wimse=', 'sig1='),
        signature: headers['signature']!.replace('wimse=', 'sig1='),
        ...changes,
      })
    expect((await check(requestWith({}, { fields: relabelled() }))).proof).toBe('signature')
    const input = headers['signature-input']!.replace('wimse=', 'sig1=')
    expect(findSignature(relabelled({ 'signature-input': `${input}, sig2=("@method")` }))).toBeUndefined()
    expect(findSignature(fieldsOf({ 'signature-input': 'sig1=("@method")', signature: 'sig1=:AAAA:' }))).toBeUndefined()
    expect(findSignature(fieldsOf())).toBeUndefined()
  })

  test.for([
    { 'signature-input': 'wimse=1' },
    { 'signature-input': 'wimse' },
    { 'signature-input': 'wimse=("@method"' },
    { signature: '' },
    { signature: 'other=:AAAA:' },
    { signature: 'wimse=1' },
    { signature: 'wimse=(:AAAA:)' },
    { signature: 'wimse' },
  ])('HS-09 refuses %j, which is half a signature', async (changes) => {
    const { headers } = await signedHeaders()
    expect(() => findSignature(fieldsOf({ ...headers, ...changes }))).toThrow(SallyportError)
  })

  test.for([
    ['"@method" "@method"', 'twice'],
    ['"@target-uri"', 'cannot be told'],
    ['"@scheme"', 'cannot be told'],
    ['"@status"', 'cannot be told'],
    ['"@signature-params"', 'cannot be told'],
    ['"@query-param";name="q"', 'not known here'],
    ['"x-there";sf', 'not known here'],
    ['"x-there";bs', 'not known here'],
    ['"x-there";key="a"', 'not known here'],
    ['"x-there";tr', 'not known here'],
    ['"x-there";req=?0', 'not known here'],
    ['"x-there";req="x"', 'not known here'],
    ['"@method";req', 'response alone'],
    ['"x-absent"', 'not in the message'],
    ['"X-There"', 'not in the message'],
    ['"x there"', 'not in the message'],
    ['x-there', 'no string'],
  ] as const)('refuses a signature that also covers %s', async ([component, why]) => {
    const input = `(${goodCovered} ${component})${parametersWith()}`
    const fields = fieldsOf({
      'x-there': '1',
      'workload-identity-token': svid.token,
      'signature-input': `wimse=${input}`,
      signature: 'wimse=:AAAA:',
    })
    await expect(check(requestWith({}, { fields }))).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', why)
  })

  test('refuses a value with a line break, which would be a line of its own', async () => {
    const { headers } = await signedHeaders({ 'content-type': 'x' })
    const fields = fieldsOf({ ...headers, 'content-type': 'x\n"@method": GET' })
    await expect(check(requestWith({}, { fields }))).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'ASCII')
  })

  test('reads a header in time that grows with its length alone, whoever sends it', () => {
    const spaces = ' '.repeat(1_000_000)
    const fields = HeaderFields.of([['x-one', `${spaces}a${spaces}b${spaces}`]])
    expect(fields.combined('x-one')).toBe(`a${spaces}b`)
    expect(HeaderFields.of([['x-one', spaces]]).combined('x-one')).toBe('')
  })

  test('looks at no header of a list that names one twice', () => {
    const fields = fieldsOf({ 'x-one': 'a' })
    const read = vi.spyOn(fields, 'combined')
    const items = Array.from({ length: 64 }, () => stringItem('x-one'))
    const base = () => signatureBase({ items, parameters: new Map() }, { request: requestWith({}, { fields }) })
    expect(base).toThrowCode('HTTP_SIGNATURE_INVALID', 'twice')
    expect(read).not.toHaveBeenCalled()
  })

  test('the spelling of the input does not matter: what is signed is its one canonical form', async () => {
    const { headers } = await signedHeaders({}, empty, { signResponse: true })
    const input = headers['signature-input']!.replace('("@method" ', '(  "@method"   ')
      .replace(';nonce', ';  nonce')
      .replace(/$/, '=?1')
    expect((await check(requestWith({ ...headers, 'signature-input': ` ${input} ` }))).answer?.mustBeSigned).toBe(true)
  })

  test('HS-14 a wish for signatures of another form changes nothing', async () => {
    const { headers } = await signedHeaders()
    const fields = fieldsOf({ ...headers, 'accept-signature': 'sig1=("@method";;;' })
    expect((await check(requestWith({}, { fields }))).proof).toBe('signature')
  })

  test('any changed letter of signature or input is refused, and nothing else than a SallyportError is thrown', async () => {
    const { headers } = await signedHeaders({ 'content-type': 'text/plain' })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('signature', 'signature-input'),
        fc.nat(1000),
        fc.integer({ min: 0x20, max: 0x7e }),
        async (name, at, code) => {
          const value = headers[name]!
          const index = at % value.length
          const changed = value.slice(0, index) + String.fromCharCode(code) + value.slice(index + 1)
          fc.pre(changed !== value)
          const outcome = await check(requestWith({ ...headers, [name]: changed })).catch((error: unknown) => error)
          expect(outcome instanceof SallyportError || outcome instanceof TypeError).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
})

interface AnswerChanges {
  readonly status?: number
  readonly asked?: SignedRequest
  readonly wit?: typeof svid
  readonly requestNonce?: string | undefined
}

describe('signResponse() and checkResponseSignature()', () => {
  const request = requestWith()
  const body = Buffer.from('hello')
  async function answer(headers: Headers = {}, status = 200, requestNonce = 'n-1', content: Uint8Array = body) {
    const added = await signResponse({ request, response: { status, fields: fieldsOf(headers) } }, content, service, {
      requestNonce,
      now,
    })
    return { ...headers, ...added }
  }
  const checkAnswer = (
    headers: Headers,
    { status = 200, asked = request, wit = service, ...rest }: AnswerChanges = {},
  ) => {
    const fields = fieldsOf(headers)
    const found = findSignature(fields)
    if (found === undefined) throw new TypeError('there is no signature')
    const { requestNonce } = { requestNonce: 'n-1', ...rest }
    return checkResponseSignature(found, { request: asked, response: { status, fields } }, wit, { requestNonce, now })
  }

  test('HS-02 HS-04 HS-07 covers status, request and WIT-SVID, what else is there, and repeats the nonce', async () => {
    const headers = await answer({ 'content-type': 'text/plain' })
    expect(headers['signature-input']).toMatch(
      /^wimse=\("@status" "@method";req "@request-target";req "workload-identity-token" "content-type" "content-digest"\);created=\d+;expires=\d+;nonce="[\w-]{22}";tag="wimse-workload-to-workload";wimse-req-nonce="n-1"$/,
    )
    expect(headers['workload-identity-token']).toBe(service.token)
    await checkAnswer(headers)
    expect(await answer({}, 204, 'n', empty)).not.toHaveProperty('content-digest')
  })

  test.for<readonly [string, object]>([
    ['status', { status: 201 }],
    ['method', { asked: { ...request, method: 'GET' } }],
    ['target', { asked: { ...request, target: '/' } }],
    ['key', { wit: heldWit({}, ecKeys()) }],
  ])('HS-02 HS-13 refuses an answer of another %s', async ([, changes]) => {
    await expect(checkAnswer(await answer(), changes)).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'not made with')
  })

  test('HS-07 refuses the answer to another request', async () => {
    await expect(checkAnswer(await answer(), { requestNonce: 'n-2' })).rejects.toThrowCode(
      'HTTP_SIGNATURE_INVALID',
      'another request',
    )
  })

  test('HS-07 the answer to a request that was not signed repeats no nonce', async () => {
    await checkAnswer(await answer(), { requestNonce: undefined })
  })

  test.for(['"@path"', '"@method"', '"@request-target"', '"@authority"'])(
    'HS-02 refuses an answer that covers %s without saying that it is of the request',
    async (component) => {
      const headers = await answer()
      const input = headers['signature-input']!.replace('("@status"', `(${component} "@status"`)
      await expect(checkAnswer({ ...headers, 'signature-input': input })).rejects.toThrowCode(
        'HTTP_SIGNATURE_INVALID',
        'cannot be told',
      )
    },
  )

  test.for(['content-type', 'content-digest'])('HS-02 refuses an answer that does not cover %s', async (name) => {
    const headers = await answer({}, 200, 'n-1', empty)
    await expect(checkAnswer({ ...headers, [name]: 'x' })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', name)
  })

  test('a signature of a request is none of a response, and the reverse', async () => {
    const { headers } = await signedHeaders()
    await expect(checkAnswer(headers, { wit: svid })).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'does not cover')
    const answered = requestWith(await answer())
    await expect(check(answered, {}, service)).rejects.toThrowCode('HTTP_SIGNATURE_INVALID', 'does not cover')
  })
})

describe('checkContentDigest()', () => {
  const body = Buffer.from('hello')
  const sha512 = `sha-512=:${createHash('sha512').update(body).digest('base64')}:`
  const digest = (value: string, content: Uint8Array = body) =>
    checkContentDigest(fieldsOf({ 'content-digest': value }), content)

  test('HS-03 accepts every digest that matches, and ignores algorithms that are too weak to say anything', () => {
    digest(contentDigestOf(body))
    digest(sha512)
    digest(`md5=:AAAA:, ${sha512}, ${contentDigestOf(body)}`)
    digest(contentDigestOf(empty), empty)
    checkContentDigest(fieldsOf(), empty)
  })

  test.for([
    ['another body', contentDigestOf(Buffer.from('hallo'))],
    ['one digest of two that matches', `${sha512}, ${contentDigestOf(Buffer.from('hallo'))}`],
    ['weak algorithms alone', 'md5=:XUFAKrxLKna5cZ2REBfFkg==:, sha=:AAAA:'],
    ['no bytes', 'sha-256="x"'],
    ['a list', 'sha-256=(:AAAA:)'],
    ['nothing', ''],
  ] as const)('HS-03 refuses %s', ([, value]) => {
    expect(() => digest(value)).toThrowCode('CONTENT_DIGEST_INVALID')
  })

  test('HS-03 refuses a body without a digest, an altered one, and a digest that cannot be read', () => {
    expect(() => checkContentDigest(fieldsOf(), body)).toThrowCode('CONTENT_DIGEST_INVALID', 'no Content-Digest')
    expect(() => digest(contentDigestOf(body), Buffer.from('hellp'))).toThrowCode('CONTENT_DIGEST_INVALID')
    expect(() => digest(contentDigestOf(body), empty)).toThrowCode('CONTENT_DIGEST_INVALID')
    expect(() => digest('sha-256=x=')).toThrowCode('STRUCTURED_FIELD_INVALID')
  })
})

describe('published vectors', () => {
  function baseOf(input: string, label: string, message: SignedMessage): string {
    const covered = parseDictionary(input, 'Signature-Input').get(label)
    if (!isInnerList(covered)) throw new TypeError('no list')
    return signatureBase(covered, message)
  }

  test('HS-01 the WIMSE example: its base, and its signature with Ed25519', () => {
    const { key, method, target, headers, base } = vectors.httpSignature
    const fields = fieldsOf(headers)
    expect(baseOf(headers['Signature-Input']!, 'wimse', { request: { method, target, fields } })).toBe(base)
    const signature = findSignature(fields)?.signature
    const publicKey = createPublicKey({ key, format: 'jwk' })
    expect(verify(null, Buffer.from(base), publicKey, signature!)).toBe(true)
  })

  test('RFC 9421 B.2.4, a response with ECDSA on P-256', () => {
    const headers = {
      'Content-Type': 'application/json',
      'Content-Digest':
        'sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:',
      'Content-Length': '23',
    }
    const input =
      'sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"'
    const base = baseOf(input, 'sig-b24', {
      request: requestWith(),
      response: { status: 200, fields: fieldsOf(headers) },
    })
    const key = createPublicKey(
      '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\nw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n-----END PUBLIC KEY-----\n',
    )
    const signature = 'wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=='
    expect(
      verify('sha256', Buffer.from(base), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64')),
    ).toBe(true)
    checkContentDigest(fieldsOf(headers), Buffer.from('{"message": "good dog"}'))
  })

  test('RFC 9421 B.2.6, a request with path, authority and Ed25519', () => {
    const fields = fieldsOf({
      Date: 'Tue, 20 Apr 2021 02:07:55 GMT',
      'Content-Type': 'application/json',
      'Content-Length': '18',
    })
    const input =
      'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"'
    const request = { method: 'POST', target: '/foo?param=Value&Pet=dog', authority: 'Example.com:443', fields }
    const key = createPublicKey(
      '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n',
    )
    const signature = 'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=='
    expect(
      verify(null, Buffer.from(baseOf(input, 'sig-b26', { request })), key, Buffer.from(signature, 'base64')),
    ).toBe(true)
    const query = baseOf('q=("@query");a=1', 'q', { request })
    expect(query).toBe('"@query": ?param=Value&Pet=dog\n"@signature-params": ("@query");a=1')
    expect(baseOf('q=("@query")', 'q', { request: requestWith({}, { target: '/x' }) })).toContain('"@query": ?\n')
    for (const component of ['"@query"', '"@path"']) {
      const asterisk = requestWith({}, { target: '*' })
      expect(() => baseOf(`q=(${component})`, 'q', { request: asterisk })).toThrowCode('HTTP_SIGNATURE_INVALID')
    }
    const response = { status: 200, fields: fieldsOf({ date: 'of the response' }) }
    const covered = baseOf('q=("date" "date";req)', 'q', { request, response })
    expect(covered.split('\n').slice(0, 2)).toEqual([
      '"date": of the response',
      '"date";req: Tue, 20 Apr 2021 02:07:55 GMT',
    ])
  })

  test('the base is that of an independent library, for any headers', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/).filter((text) => text !== 'cookie')
    const value = fc.stringMatching(/^[!-~]{1,12}( [!-~]{1,8}){0,2}$/)
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, minLength: 1, maxLength: 6 }),
        fc.constantFrom('GET', 'POST'),
        fc.stringMatching(/^\/[a-z0-9/]{0,10}(\?[a-z0-9=&]{1,10})?$/),
        (entries, method, target) => {
          const headers = Object.fromEntries(entries)
          const fields = ['@method', '@path', '@query', '@authority', ...Object.keys(headers)]
          const url = new URL(`https://api.example.org${target}`)
          fc.pre(`${url.pathname}${url.search}` === target)
          const theirs = httpbis.formatSignatureBase(httpbis.createSignatureBase({ fields }, { method, url, headers }))
          const input = `a=(${fields.map((field) => `"${field}"`).join(' ')})`
          const request = { method, target, authority: 'api.example.org', fields: fieldsOf(headers) }
          const lines = baseOf(input, 'a', { request }).split('\n')
          expect(lines.slice(0, -1).join('\n')).toBe(theirs)
        },
      ),
    )
  })
})

function fieldsWith(headers: Headers, changes: HeaderFields): HeaderFields {
  const names = ['content-type', 'authorization'].filter((name) => changes.has(name))
  return fieldsOf({ ...headers, ...Object.fromEntries(names.map((name) => [name, changes.only(name) ?? ''])) })
}
