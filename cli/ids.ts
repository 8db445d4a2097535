import { SpiffeId } from '../src/id/spiffe-id.ts'

/** A SPIFFE ID argument as the wire's message. */
export function idArgument(text: string): { readonly trustDomain: string; readonly path: string } {
  const id = SpiffeId.parse(text)
  return { trustDomain: id.trustDomain.name, path: id.path }
}

export const printId = (id: { readonly trustDomain: string; readonly path: string } | null): string =>
  id === null ? '' : `spiffe://${id.trustDomain}${id.path}`
