import type { Bundle } from '../../src/bundle/bundle.ts'
import { printJwks } from '../../src/bundle/jwks.ts'
import { SallyportError } from '../../src/errors.ts'
import type { JsonObject, JsonValue } from '../../src/jws/strict-json.ts'
import type { Log } from '../../src/log/log.ts'
import type { Struct, Value } from '../../src/wire/messages/google-protobuf.ts'
import type { JwtBundlesResponse } from '../../src/wire/messages/spiffe-workload.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { Matched } from '../entries/subscription.ts'
import { fittingBundles } from './x509-messages.ts'

const jwksCache = new WeakMap<Bundle, Buffer>()

function jwksOf(bundle: Bundle): Buffer {
  let jwks = jwksCache.get(bundle)
  if (jwks === undefined) {
    jwks = Buffer.from(printJwks(bundle))
    jwksCache.set(bundle, jwks)
  }
  return jwks
}

/** @throws {@link SallyportError} `IDENTITY_PENDING` */
export function jwtBundles({ ownBundle, federatedBundles }: Matched, log: Log): JwtBundlesResponse {
  if (ownBundle === undefined) {
    throw new SallyportError('IDENTITY_PENDING', 'Cannot hand out bundles yet: this agent has none of its trust domain')
  }
  const fitting = fittingBundles(federatedBundles, jwksOf, jwksOf(ownBundle).length, log)
  return {
    bundles: Object.fromEntries([ownBundle, ...fitting].map((bundle) => [bundle.trustDomain.idString, jwksOf(bundle)])),
  }
}

/** JSON as `google.protobuf.Struct`. */
export function structOf(object: JsonObject): Sent<Struct> {
  const fields = Object.entries(object).map(([name, value]) => [name, valueOf(value ?? null)] as const)
  return { fields: Object.fromEntries(fields) }
}

function valueOf(value: JsonValue): Sent<Value> {
  if (value === null) return { nullValue: 'NULL_VALUE' }
  if (typeof value === 'number') return { numberValue: value }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (Array.isArray(value)) return { listValue: { values: (value as readonly JsonValue[]).map(valueOf) } }
  return { structValue: structOf(value as JsonObject) }
}
