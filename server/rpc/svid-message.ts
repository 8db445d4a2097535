import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { idToMessage } from '../../src/wire/id-message.ts'
import type { JwtSvid, WitSvid, X509Svid } from '../../src/wire/messages/spire-api-types.ts'

/** Instants are whole seconds on the wire; rounded down, nothing looks valid for longer than it is. */
export const secondsOf = (instant: Date): number => Math.floor(instant.getTime() / 1000)

export function svidToMessage(
  spiffeId: SpiffeId,
  issued: { readonly chain: readonly Buffer[]; readonly expiresAt: Date },
  hint = '',
): X509Svid {
  return { certChain: issued.chain, id: idToMessage(spiffeId), expiresAt: secondsOf(issued.expiresAt), hint }
}

/** A JWT-SVID or a WIT-SVID: their messages are alike. */
export function tokenSvidToMessage(
  spiffeId: SpiffeId,
  issued: { readonly token: string; readonly issuedAt: Date; readonly expiresAt: Date },
  hint = '',
): JwtSvid & WitSvid {
  return {
    token: issued.token,
    id: idToMessage(spiffeId),
    expiresAt: secondsOf(issued.expiresAt),
    issuedAt: secondsOf(issued.issuedAt),
    hint,
  }
}
