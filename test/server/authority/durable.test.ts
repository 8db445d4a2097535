import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/log/log.ts'
import { systemClock } from '../../../src/clock.ts'
import { keyTypes } from '../../../src/key/key-type.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { openAuthorities } from '../../../server/authority/authorities.ts'
import { createIssuer } from '../../../server/authority/issuer.ts'
import { openDiskKeyStore } from '../../../server/keys/disk-key-store.ts'
import { openGate } from '../../../server/policy/issuance-gate.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'
import { AuthorityWorld, issuerConfig, orderOf, trustDomain } from './authority-world.ts'
import { describeUnless, missing } from '../../unless.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-authority-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function open() {
  const store = await openSqliteStore({ path: join(folder, 'store.db'), clock: systemClock, log: silentLog })
  const keys = await openDiskKeyStore(join(folder, 'keys'), cryptography)
  const { config } = new AuthorityWorld()
  const deps = {
    trustDomain,
    store,
    keys,
    clock: systemClock,
    config,
    cryptography,
    random: randomBytes,
    log: silentLog,
  }
  const authorities = await openAuthorities({ ...deps, serverId: 'server-1', acknowledgements: { missing: () => [] } })
  const issuer = createIssuer({
    ...deps,
    authorities,
    gate: openGate,
    config: issuerConfig,
  })
  return { store, authorities, issuer }
}

describe('authorities in SQLite and on disk', () => {
  test('sign with the same keys after a restart, in every state of a rotation', async () => {
    let server = await open()
    const first = server.authorities.activeX509().authorityId
    const second = await server.authorities.prepare('x509')
    await server.store[Symbol.asyncDispose]()
    server = await open()
    expect(server.authorities.activeX509().authorityId).toBe(first)
    await server.authorities.activate('x509', second)
    await server.authorities.taint('x509', first)
    const bundle = server.authorities.bundle()
    await server.store[Symbol.asyncDispose]()
    server = await open()
    expect(server.authorities.activeX509().authorityId).toBe(second)
    expect(server.authorities.bundle()).toMatchObject({
      sequenceNumber: bundle.sequenceNumber,
      refreshHintSeconds: 300,
      x509Authorities: [{ tainted: true }, { tainted: false }],
    })
    await server.authorities.revoke('x509', first)
    expect((await server.issuer.issueX509Svids([orderOf()]))[0]).toMatchObject({ authorityId: second })
    await server.store[Symbol.asyncDispose]()
  })

  test('TB-23 SV-12 no private key is in the store', async () => {
    const { store, issuer } = await open()
    await issuer.issueX509Svids([orderOf()])
    await store[Symbol.asyncDispose]()
    const keys = readdirSync(join(folder, 'keys')).map((name) => readFileSync(join(folder, 'keys', name), 'utf8'))
    expect(keys).toHaveLength(2)
    for (const name of readdirSync(folder).filter((file) => file.startsWith('store'))) {
      const stored = readFileSync(join(folder, name))
      for (const key of keys) {
        const pkcs8 = Buffer.from(key.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
        // The secret number of a P-256 key stands at byte 36 of its PKCS#8.
        expect(stored.includes(pkcs8.subarray(36, 68))).toBe(false)
      }
    }
  })
})

describeUnless(missing('openssl'), 'openssl', () => {
  test.for(keyTypes)('verifies an SVID of an authority of %s strictly', { timeout: 60_000 }, async (keyType) => {
    const world = new AuthorityWorld()
    const x509 = { ...world.config.x509, keyType }
    const { issuer, authorities } = await AuthorityWorld.open({ config: { x509 } })
    const [issued] = await issuer.issueX509Svids([orderOf({ dnsNames: ['storefront.internal'] })])
    if (issued === undefined || issued instanceof Error) throw issued
    writeFileSync(join(folder, 'ca.pem'), printPem([authorities.activeX509().certificate]))
    writeFileSync(join(folder, 'svid.pem'), printPem(issued.chain.map((der) => decodeCertificate(der))))
    const at = String(world.clock.now().getTime() / 1000)
    for (const purpose of ['sslserver', 'sslclient']) {
      const flags = ['-x509_strict', '-attime', at, '-purpose', purpose, '-CAfile', join(folder, 'ca.pem')]
      expect(execFileSync('openssl', ['verify', ...flags, join(folder, 'svid.pem')]).toString()).toContain(': OK')
    }
  })
})
