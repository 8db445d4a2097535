import { expect, test } from 'vitest'
import { countedIssuer } from '../../../server/authority/counted-issuer.ts'
import type { Issuer } from '../../../server/authority/issuer.ts'
import { SallyportError } from '../../../src/errors.ts'
import { MetricRegistry } from '../../../src/metrics/registry.ts'

test('counts what is released and what is refused, by kind', async () => {
  const metrics = new MetricRegistry()
  const refusal = new SallyportError('SIGNING_REFUSED', 'no')
  const issuer = {
    issueX509Svids: () => Promise.resolve([{}, refusal, {}]),
    issueJwtSvid: () => Promise.reject(refusal),
    issueWitSvids: () => Promise.resolve([{}, refusal]),
    mintWitSvid: () => Promise.resolve({}),
  } as unknown as Issuer
  const counted = countedIssuer(issuer, {
    issued: metrics.counter('issued', 'i'),
    refused: metrics.counter('refused', 'r'),
  })
  await counted.issueX509Svids([])
  await counted.issueWitSvids([])
  await counted.mintWitSvid({} as never)
  await expect(counted.issueJwtSvid({} as never)).rejects.toThrow('no')
  expect(metrics.print()).toContain('issued{kind="x509"} 2')
  expect(metrics.print()).toContain('refused{kind="x509"} 1')
  expect(metrics.print()).toContain('refused{kind="jwt"} 1')
  expect(metrics.print()).toContain('issued{kind="wit"} 1')
  expect(metrics.print()).toContain('refused{kind="wit"} 1')
  expect(metrics.print()).toContain('issued{kind="minted_wit"} 1')
})
