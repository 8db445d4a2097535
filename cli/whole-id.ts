import { SpiffeId } from '../src/id/spiffe-id.ts'
import type { Transport } from '../src/wire/client.ts'
import { adminService } from '../src/wire/messages/sallyport-server-v1.ts'

/** A SPIFFE ID as it was typed; `/ns/web/sa/storefront` is one of the server's own trust domain, as in policies. */
export async function wholeIdAt(transport: Transport, written: string): Promise<string> {
  if (!written.startsWith('/')) return SpiffeId.parse(written).toString()
  const { trustDomain } = await transport.client(adminService).getStatus({})
  return SpiffeId.parse(`spiffe://${trustDomain}${written}`).toString()
}

/** Options with the SPIFFE IDs among them written whole. */
export async function withWholeIds<O extends { readonly spiffeId?: string; readonly parent?: string }>(
  options: O,
  transport: Transport,
): Promise<O> {
  const { spiffeId, parent } = options
  return {
    ...options,
    ...(spiffeId === undefined ? {} : { spiffeId: await wholeIdAt(transport, spiffeId) }),
    ...(parent === undefined ? {} : { parent: await wholeIdAt(transport, parent) }),
  }
}
