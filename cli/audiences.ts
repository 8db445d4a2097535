import { Option } from 'commander'
import { SpiffeId } from '../src/id/spiffe-id.ts'
import { collect } from './action.ts'

/** Who a token is for. */
export const audienceOption = (): Option =>
  new Option('--audience <name>', 'who may accept it; repeat for more, each of which can then use it at the others')
    .argParser(collect)
    .makeOptionMandatory()

/** Warns of audiences that no single service owns, so that whoever receives the token could use it anywhere (JWT-SVID §3.2). */
export function audienceWarnings(audiences: readonly string[]): readonly string[] {
  return audiences
    .filter(namesTrustDomain)
    .map(
      (audience) =>
        `The audience ${audience} is a whole trust domain, which any service may take for its own. Name the one that receives the token, such as --audience orders.`,
    )
}

function namesTrustDomain(audience: string): boolean {
  try {
    return SpiffeId.parse(audience.replace(/\/$/, '')).path === ''
  } catch {
    // Any text may be an audience.
    return false
  }
}
