import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../src/errors.ts'
import { exactly } from '../../src/id/matcher.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import type { TestSvid } from '../../src/testing/test-authority.ts'
import { printPem } from '../../src/x509/pem.ts'
import { TestSource } from '../fakes/test-source.ts'
import type { ForeignEnd, ForeignVerdict } from './foreign-peer.ts'
import { clientsOf, dialSdk, type Protocol, type SdkServer, serveSdk } from './sdk-peers.ts'
import { type Foreigner, signers, type TlsRow, tlsRows } from './tls-rows.ts'

/** Who verifies in every row. */
const OWN = 'spiffe://example.org/db'
const isWantedByAny = exactly(...tlsRows.map(({ wanted }) => wanted))
const isOwn = exactly(OWN)

/** What both sides hold: files for the foreigner, sources for us. */
interface Stage extends Disposable {
  readonly own: Held
  readonly subjects: ReadonlyMap<string, Held>
  readonly servers: ReadonlyMap<Protocol, SdkServer>
}

interface Held {
  readonly folder: string
  readonly source: TestSource
}

async function stage(protocols: readonly Protocol[]): Promise<Stage> {
  const all = await signers()
  const bundles = [all.home.bundle(), all.partner.bundle()]
  const root = mkdtempSync(join(tmpdir(), 'sallyport-rows-'))
  mkdirSync(join(root, 'bundles'))
  for (const { trustDomain, certificate } of [all.home, all.partner])
    writeFileSync(join(root, `bundles/${trustDomain.name}.pem`), printPem([certificate]))
  const hold = (name: string, svid: TestSvid): Held => {
    const folder = join(root, name.replaceAll(' ', '-'))
    mkdirSync(folder)
    writeFileSync(join(folder, 'chain.pem'), printPem(svid.chain))
    writeFileSync(join(folder, 'key.pem'), svid.keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    return { folder, source: new TestSource(presentable(svid), ...bundles) }
  }
  const own = hold('own', await all.home.issue('/db'))
  const subjects = new Map<string, Held>()
  for (const row of tlsRows) subjects.set(row.name, hold(row.name, await row.issue(all)))
  const servers = new Map<Protocol, SdkServer>()
  for (const protocol of protocols) servers.set(protocol, await serveSdk(protocol, own.source, isWantedByAny))
  return {
    own,
    subjects,
    servers,
    [Symbol.dispose]: () => {
      for (const server of servers.values()) server[Symbol.dispose]()
      rmSync(root, { recursive: true })
    },
  }
}

/** Whatever it is: no source of ours would hold it, but TLS presents it. */
const presentable = ({ chain, keyPair }: TestSvid): X509Svid => ({
  spiffeId: SpiffeId.parse(OWN),
  chain,
  privateKey: keyPair.privateKey,
  hint: '',
})

/** Both ends in both roles, the subject of the row presented by the foreigner and then by us. */
export function describeTlsTable(foreigner: Foreigner, open: () => ForeignEnd, protocols: readonly Protocol[]): void {
  describe.for(protocols)('X5-28 X5-29 X5-30 mutual TLS with the SDK: %s', (protocol) => {
    let on: Stage
    let peer: ForeignEnd

    beforeAll(async () => {
      on = await stage([protocol])
      peer = open()
    })

    afterAll(async () => {
      await peer?.[Symbol.asyncDispose]()
      on?.[Symbol.dispose]()
    })

    test.for(tlsRows)('our server is dialled by: $name', async (row) => {
      const server = on.servers.get(protocol)!
      server.refusals.length = 0
      const verdict = await peer.dial(protocol, server.port, OWN, on.subjects.get(row.name)!.folder)
      if (row.refusal === undefined) {
        expect(verdict).toEqual({ peer: row.wanted })
        expect(server.refusals).toEqual([])
      } else {
        expect(verdict).toEqual({ refused: expect.any(String) as string })
        // grpc-go tries again by itself.
        expectRefusal(row, server.refusals[0])
      }
    })

    const dials = clientsOf[protocol].flatMap((client) => tlsRows.map((row) => ({ ...row, row, client })))
    test.for(dials)('our client ($client) dials: $name', async ({ row, client }) => {
      const port = await peer.serve(protocol, OWN, on.subjects.get(row.name)!.folder)
      const answer = await dialSdk(client, on.own.source, port, exactly(row.wanted)).catch((error: Error) => error)
      const verdict = await peer.outcome()
      if (row.refusal === undefined) {
        expect(answer).toBe(OWN)
        expect(verdict).toEqual({ peer: OWN })
      } else if (client === 'grpc') {
        // grpc-js keeps the words of an error and drops its code.
        expect(answer).toMatchObject({ details: expect.stringContaining(row.refusal[1]) as string })
      } else if (client === 'options') {
        // What the engine finds first it calls by its own names.
        expect(answer).toBeInstanceOf(Error)
      } else expectRefusal(row, answer)
    })

    test.for(tlsRows)('their server is dialled by: $name', async (row) => {
      const port = await peer.serve(protocol, row.wanted, on.own.folder)
      const answer = await dialSdk(protocol, on.subjects.get(row.name)!.source, port, isOwn).catch(() => undefined)
      const verdict = await peer.outcome()
      expectTheirs(foreigner, row, verdict)
      if (row.refusal === undefined) expect(answer).toBe(row.wanted)
    })

    test.for(tlsRows)('their client dials: $name', async (row) => {
      using server = await serveSdk(protocol, on.subjects.get(row.name)!.source, isOwn)
      const verdict = await peer.dial(protocol, server.port, row.wanted, on.own.folder)
      expectTheirs(foreigner, row, verdict.peer === undefined ? verdict : { peer: row.wanted })
      if (row.refusal === undefined) expect(verdict).toEqual({ peer: OWN })
    })
  })
}

function expectRefusal({ refusal }: TlsRow, error: unknown): void {
  expect(error).toBeInstanceOf(SallyportError)
  expect(error).toThrowCode(...refusal!)
}

/** They agree with us, or the row says why not. */
function expectTheirs(foreigner: Foreigner, { name, refusal, tolerated }: TlsRow, verdict: ForeignVerdict): void {
  const accepts = refusal === undefined || tolerated?.[foreigner] !== undefined
  expect({ name, accepts: verdict.peer !== undefined, ...verdict }).toMatchObject({ accepts })
}
