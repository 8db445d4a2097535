import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BundleEndpoints } from '../../src/federation/bundle-endpoints.ts'
import { TestAuthority, type TestSvid } from '../../src/testing/test-authority.ts'
import { printPem } from '../../src/x509/pem.ts'
import { Conversation } from '../e2e/conversation.ts'
import { RunningProcess } from '../e2e/processes.ts'
import { goProgram } from './toolchains.ts'
import { describeUnless, missing } from '../unless.ts'

describeUnless(missing('go'), 'a bundle endpoint of go-spiffe', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-federation-'))
  let program: string
  let partner: TestAuthority
  let nextPartner: TestAuthority

  beforeAll(async () => {
    ;[partner, nextPartner] = await Promise.all([
      TestAuthority.create({ trustDomain: 'partner.test' }),
      TestAuthority.create({ trustDomain: 'partner.test' }),
    ])
    program = (await goProgram()).command
    for (const [name, { certificate }] of Object.entries({ partner, nextPartner }))
      writeFileSync(join(folder, `${name}.pem`), printPem([certificate]))
    write('svid', await partner.issue('/bundle-server'))
    write('next-svid', await nextPartner.issue('/bundle-server'))
  }, 500_000)

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function write(name: string, { chain, keyPair }: TestSvid): void {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'chain.pem'), printPem(chain))
    writeFileSync(join(folder, name, 'key.pem'), keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  }

  test('FE-02 FS-04 FS-07 is polled by its SPIFFE ID, over a rotation of its root and its SVID', async () => {
    await using process = new RunningProcess(program, ['bundle-endpoint', 'partner.test', join(folder, 'svid')])
    const go = new Conversation(process)
    const { address } = await go.next<{ readonly address: string }>()
    const roots = (...names: readonly string[]) => names.map((name) => join(folder, `${name}.pem`)).join(' ')
    await go.ask(`publish 18446744073709551614 ${roots('partner', 'nextPartner')}`)
    await using endpoints = await BundleEndpoints.open({
      ownTrustDomain: 'example.org',
      relationships: [
        {
          trustDomain: 'partner.test',
          url: `https://127.0.0.1:${address.split(':').at(-1)}/`,
          profile: 'https_spiffe',
          endpointId: 'spiffe://partner.test/bundle-server',
          bundle: printPem([partner.certificate]),
        },
      ],
    })
    const held = () => endpoints.current().get('partner.test')
    expect(endpoints.health).toMatchObject([{ status: 'current', error: undefined, sequence: 18446744073709551614n }])
    expect([held()?.x509Authorities.length, held()?.refreshHintSeconds]).toEqual([2, 120])

    await go.ask(`present ${join(folder, 'next-svid')}`)
    await go.ask(`publish 18446744073709551615 ${roots('nextPartner')}`)
    await endpoints.refresh('partner.test')
    expect(held()?.x509Authorities.map(({ certificate }) => certificate.der)).toEqual([nextPartner.certificate.der])

    await go.ask(`present ${join(folder, 'svid')}`)
    await expect(endpoints.refresh('partner.test')).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    await go.ask(`present ${join(folder, 'next-svid')}`)
    await go.ask(`publish 1 ${roots('partner')}`)
    await expect(endpoints.refresh('partner.test')).rejects.toThrowCode('BUNDLE_SEQUENCE_OLDER')
    expect(held()?.x509Authorities).toHaveLength(1)
  })
})
