/** gRPC status names as in the standard; numbers live in `wire/status.ts`. */
export type GrpcStatusName =
  | 'CANCELLED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED'

/** One row of the table of errors; `docs/errors.md` is printed from it. */
export interface ErrorRow {
  readonly grpc: GrpcStatusName
  readonly http: number
  /** What has happened, as a sentence. */
  readonly means: string
  /** What the reader does about it, as a sentence. */
  readonly remedy: string
}

/** Every refusal and failure Sallyport names. Codes are stable: add, never rename. Grouped by room, alphabetical within. */
export const errorCodes = {
  // src/id
  SPIFFE_ID_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not a SPIFFE ID.',
    remedy: 'Write spiffe://<trust domain>/<path> with segments of a-z A-Z 0-9 . _ -',
  },
  TRUST_DOMAIN_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not the name of a trust domain.',
    remedy: 'Write it in lower case, without spiffe:// and without a path.',
  },
  // src/entry
  SELECTOR_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not a selector.',
    remedy: 'Write type:value, such as unix:uid:1000.',
  },
  ENTRY_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A registration entry breaks a rule that the message names.',
    remedy: 'Correct the field that the message names.',
  },
  // src/config
  CONFIG_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A configuration file has problems; the message lists all of them by path.',
    remedy: 'Correct each path; docs/config.md describes every field.',
  },
  CONFIG_UNREADABLE: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A configuration file cannot be read.',
    remedy: 'Check the path and its permissions; `sallyport server init` writes one.',
  },
  DURATION_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not a duration.',
    remedy: 'Write a number and a unit: 90s, 10m, 1h, 7d.',
  },
  // src/process
  ENVIRONMENT_REFUSED: {
    grpc: 'FAILED_PRECONDITION',
    http: 400,
    means: 'The environment holds variables that could read keys or weaken checks.',
    remedy: 'Start the process with bin/sallyport.js, which removes them.',
  },
  // src/key
  KEY_REFUSED: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A public key is too weak, too large or of a kind that is not accepted.',
    remedy: 'Use EC P-256, EC P-384, or RSA of 2048 to 4096 bits with exponent 65537.',
  },
  // src/x509
  CERTIFICATE_EXPIRED: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'A certificate is not valid any more, or not yet.',
    remedy: 'Get a new certificate, and check the clocks of both sides.',
  },
  CERTIFICATE_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'Bytes are not a certificate in strict DER, or the certificate breaks a rule that the message names.',
    remedy: 'Make the certificate again as the message says.',
  },
  CERTIFICATE_UNTRUSTED: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'A certificate does not lead to an authority of the trust domain.',
    remedy: 'Check that both sides hold the current bundle of that trust domain.',
  },
  CSR_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A certificate signing request cannot be read, or does not prove that its sender holds the key.',
    remedy: 'Make a new request (PKCS#10, DER) signed with the key that it names.',
  },
  TEMPLATE_INVALID: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'A certificate was about to be signed that no X509-SVID may be.',
    remedy: 'This is a fault of the program that signs: report it with the message.',
  },
  // src/wire
  INTERNAL: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'Something failed that should not; the cause is in the log of the process that answered.',
    remedy: 'Look for the request id in that log.',
  },
  REQUEST_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A request breaks a rule that the message names.',
    remedy: 'Correct the field that the message names.',
  },
  METHOD_UNIMPLEMENTED: {
    grpc: 'UNIMPLEMENTED',
    http: 501,
    means: 'This process does not offer that method.',
    remedy: 'Use a method of the documented services.',
  },
  NOT_READY: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The process runs but cannot serve this yet.',
    remedy: 'Ask again in a moment.',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorCodes

export interface ErrorOptions {
  /** What the reader does now; printed on its own line. Default: the code's remedy. */
  readonly hint?: string
  readonly cause?: unknown
  /** An encoded message for clients that read it, such as SPIRE's PermissionDeniedDetails. */
  readonly detail?: { readonly typeUrl: string; readonly value: Uint8Array }
}

/** What Sallyport throws on purpose: a stable code, what and why in the message, what to do in the hint. */
export class SallyportError extends Error {
  readonly code: ErrorCode
  readonly hint: string
  readonly detail: ErrorOptions['detail']

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SallyportError'
    this.code = code
    this.hint = options.hint ?? errorCodes[code].remedy
    this.detail = options.detail
  }

  get row(): ErrorRow {
    return errorCodes[this.code]
  }
}
