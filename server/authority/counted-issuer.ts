import { SallyportError } from '../../src/errors.ts'
import type { Counter } from '../../src/metrics/registry.ts'
import type { Issuer } from './issuer.ts'

/** An issuer whose releases and refusals are counted, by kind. */
export function countedIssuer(issuer: Issuer, counts: { readonly issued: Counter; readonly refused: Counter }): Issuer {
  const counted = async <T>(kind: string, issuing: Promise<T>): Promise<T> => {
    try {
      const issued = await issuing
      counts.issued.add({ kind })
      return issued
    } catch (error) {
      counts.refused.add({ kind })
      throw error
    }
  }
  const countedBatch = async <T>(kind: string, issuing: Promise<readonly T[]>): Promise<readonly T[]> => {
    const results = await issuing
    const refused = results.filter((result) => result instanceof SallyportError).length
    if (refused > 0) counts.refused.add({ kind }, refused)
    if (results.length > refused) counts.issued.add({ kind }, results.length - refused)
    return results
  }
  return {
    issueX509Svids: (orders) => countedBatch('x509', issuer.issueX509Svids(orders)),
    issueAgentSvid: (order) => counted('agent', issuer.issueAgentSvid(order)),
    issueServerSvid: (spki) => counted('server', issuer.issueServerSvid(spki)),
    issueDownstreamCa: (order) => counted('downstream', issuer.issueDownstreamCa(order)),
    issueJwtSvid: (order) => counted('jwt', issuer.issueJwtSvid(order)),
    issueWitSvids: (orders) => countedBatch('wit', issuer.issueWitSvids(orders)),
    mintX509Svid: (csr, options) => counted('minted_x509', issuer.mintX509Svid(csr, options)),
    mintJwtSvid: (order) => counted('minted_jwt', issuer.mintJwtSvid(order)),
    mintWitSvid: (order) => counted('minted_wit', issuer.mintWitSvid(order)),
  }
}
