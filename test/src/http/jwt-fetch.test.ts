import { describe, expect, test } from 'vitest'
import { jwtFetch, type JwtFetchOptions } from '../../../src/http/jwt-fetch.ts'

/** A fetch that answers with what it was asked. */
function setUp(options: JwtFetchOptions = {}) {
  const sent: Request[] = []
  const asked: unknown[] = []
  const source = {
    fetch: (audience: readonly string[] | string) => {
      asked.push(audience)
      return Promise.resolve({ token: `token-${asked.length}` })
    },
  }
  const underneath: typeof fetch = (input, init) => {
    sent.push(new Request(input, init))
    return Promise.resolve(new Response('ok'))
  }
  return { ask: jwtFetch(source, 'reports', { fetch: underneath, ...options }), sent, asked }
}

describe('jwtFetch()', () => {
  test('JW-25 adds a token for the audience to each request, and leaves the rest as it is', async () => {
    const { ask, sent, asked } = setUp()
    await ask('https://reports.test/a', { method: 'POST', body: 'x', headers: { 'x-one': '1' } })
    await ask(new URL('https://reports.test/b'))
    await ask(new Request('https://reports.test/c', { headers: { 'x-two': '2' } }))
    expect(sent.map(({ url, method, headers }) => [method, url, headers.get('authorization')])).toEqual([
      ['POST', 'https://reports.test/a', 'Bearer token-1'],
      ['GET', 'https://reports.test/b', 'Bearer token-2'],
      ['GET', 'https://reports.test/c', 'Bearer token-3'],
    ])
    expect(await sent[0]!.text()).toBe('x')
    expect([sent[0]!.headers.get('x-one'), sent[2]!.headers.get('x-two')]).toEqual(['1', '2'])
    expect(asked).toEqual(['reports', 'reports', 'reports'])
  })

  test.for(['http://reports.test/', 'http://localhost.reports.test/', 'http://127.0.0.1.reports.test/', 'ftp://x/'])(
    'JW-27 asks for no token and sends nothing to %s, where others can read it',
    async (url) => {
      const { ask, sent, asked } = setUp()
      await expect(ask(url)).rejects.toThrowCode('PLAIN_HTTP_REFUSED')
      await expect(ask(new Request(url))).rejects.toThrowCode('PLAIN_HTTP_REFUSED')
      expect([sent, asked]).toEqual([[], []])
    },
  )

  test.for(['http://localhost:8080/', 'http://127.0.0.1/', 'http://127.1/', 'http://[::1]:1234/'])(
    'speaks plain HTTP to this machine: %s',
    async (url) => {
      const { ask, sent } = setUp()
      await ask(url)
      expect(sent).toHaveLength(1)
    },
  )

  test('speaks plain HTTP to others where that is said', async () => {
    const { ask, sent } = setUp({ allowPlainHttp: true })
    await ask('http://reports.test/')
    expect(sent[0]?.headers.get('authorization')).toBe('Bearer token-1')
  })

  test('does not replace an Authorization header, and needs an audience', async () => {
    const { ask } = setUp()
    await expect(ask('https://reports.test/', { headers: { authorization: 'Basic x' } })).rejects.toThrow(TypeError)
    expect(() => jwtFetch({ fetch: () => Promise.reject(new Error('not asked')) }, [])).toThrow(TypeError)
    expect(() => jwtFetch(Promise.resolve() as never, 'reports')).toThrow('await JwtSource.open()')
  })
})
