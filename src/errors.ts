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
  // src/policy
  CONDITION_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A condition of a rule or guard cannot be read, or compares what cannot be compared.',
    remedy: 'Correct it at the place that the message names; docs/policy-conditions.md holds the grammar.',
  },
  PATH_TEMPLATE_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not a template of request paths.',
    remedy: 'Write whole segments, such as /v1/orders/{id} or /admin/**.',
  },
  PATTERN_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not a pattern of SPIFFE IDs.',
    remedy: 'Write whole segments, such as /ns/web/** or spiffe://partner.example/billing/*.',
  },
  POLICY_DENIED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The policy does not let a peer or a request pass.',
    remedy:
      'Look the decision up with `sallyport decisions show ID`; docs/policy-codes.md says what each of its codes asks for.',
  },
  POLICY_DOCUMENT_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 502,
    means:
      'A slice of policy or an entry of the fast lane has a form that this version does not know; the last good one stays in force.',
    remedy: 'Update the SDK or the program that enforces: the server is newer than it.',
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
  JOIN_STRING_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not what `sallyport token create` printed.',
    remedy: 'Make a new one with `sallyport token create` and copy it whole.',
  },
  // src/policy-file
  POLICY_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A policy has problems; the message lists all of them by line and path.',
    remedy: 'Correct each of them; `sallyport policy validate FILE` says for each what to do.',
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
  CERTIFICATE_REVOKED: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'A revocation list of its issuer names a certificate, or that list is out of date.',
    remedy: 'Get a new certificate, or a newer revocation list.',
  },
  CERTIFICATE_UNTRUSTED: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'A certificate does not lead to an authority of the trust domain.',
    remedy: 'Check that both sides hold the current bundle of that trust domain.',
  },
  CRL_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'Bytes are not a certificate revocation list in strict DER, or it is of a kind that cannot be applied.',
    remedy: 'Publish a complete list (X.509 CRL version 2, DER), or turn revocation checking off.',
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
  // src/jws
  JSON_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text from outside is not strict JSON: malformed, nested too deeply, or naming a member twice.',
    remedy: 'Correct the document; every member may be named once.',
  },
  JWK_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A JSON Web Key does not describe a public key that is accepted.',
    remedy: 'Publish EC keys on P-256, P-384 or P-521, or RSA keys of 2048 to 4096 bits.',
  },
  JWS_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A text is not a signed token in JWS compact serialization, or its header is not that of a JWT-SVID.',
    remedy: 'Pass the token exactly as it was issued.',
  },
  JWS_SIGNATURE_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 401,
    means: 'A token was not signed with the key that it names.',
    remedy: 'Get a new token; if it happens again, compare the bundles of both sides.',
  },
  // src/bundle
  BUNDLE_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A document is not a bundle, or exceeds a limit that the message names.',
    remedy: 'Publish a SPIFFE bundle: a JSON object with a list of keys. The last good bundle stays in use.',
  },
  // src/svid
  BUNDLE_UNKNOWN: {
    grpc: 'INVALID_ARGUMENT',
    http: 401,
    means: 'An SVID belongs to a trust domain whose bundle is not known here, so nothing can vouch for it.',
    remedy: 'Federate with that trust domain, or correct the identity that was expected.',
  },
  JWT_KEY_UNKNOWN: {
    grpc: 'INVALID_ARGUMENT',
    http: 401,
    means: 'A JWT-SVID names a signing key that is not in the bundle of its trust domain.',
    remedy: 'Fetch the bundle again; a token of a new key is never issued before its key is published.',
  },
  JWT_SVID_AUDIENCE: {
    grpc: 'INVALID_ARGUMENT',
    http: 401,
    means: 'A JWT-SVID is meant for another audience.',
    remedy: 'Ask for a token with the audience that this service expects.',
  },
  JWT_SVID_EXPIRED: {
    grpc: 'INVALID_ARGUMENT',
    http: 401,
    means: 'A JWT-SVID is not valid any more, or not yet.',
    remedy: 'Get a new token, and check the clocks of both sides.',
  },
  JWT_SVID_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 401,
    means: 'A token is not a JWT-SVID: the message names the rule it breaks.',
    remedy: 'Get a JWT-SVID from the Workload API and pass it unchanged.',
  },
  X509_SVID_INVALID: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'A certificate chain is not an X509-SVID: the message names the rule it breaks.',
    remedy: 'Present a leaf certificate with exactly one SPIFFE ID that has a path.',
  },
  // src/tls
  PEER_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The other side of a connection is verified, and is not the identity that is wanted here.',
    remedy: 'Correct the expected identity, or the address that was dialled.',
  },
  PEER_CERTIFICATE_MISSING: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'The other side of a connection presented no certificate.',
    remedy: 'Connect with an X509-SVID.',
  },
  FETCH_AGENT_UNKNOWN: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: "The global fetch uses an agent that is not undici's Agent, such as one for proxies.",
    remedy: "Pass the class: dispatcher(source, { server, agent: Agent }) with the Agent of the package 'undici'.",
  },
  PEER_NOT_VERIFIED: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'The peer of a request or connection was asked for, and Sallyport has not verified it.',
    remedy:
      'Serve with the options of tlsServer(), or protect() the server, and ask for the peer of what it hands over.',
  },
  SERVER_NOT_PROTECTED: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'A server cannot be made to verify its peers.',
    remedy: 'Pass a server of node:tls, node:https or http2.createSecureServer(), once.',
  },
  TLS_FAILED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'A TLS connection could not be made.',
    remedy: 'Check that the address is right and that the other side speaks TLS 1.3.',
  },
  // src/http
  PLAIN_HTTP_REFUSED: {
    grpc: 'FAILED_PRECONDITION',
    http: 400,
    means: 'A token was about to be sent over a connection that others can read.',
    remedy: 'Use an https: address, or say allowPlainHttp where nobody else is on the way.',
  },
  TOKEN_MISSING: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'A request carries no bearer token, or more than one.',
    remedy: 'Send one header, Authorization: Bearer <JWT-SVID>.',
  },
  // src/wit
  CONTENT_DIGEST_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'The body of a message is not the one that its Content-Digest describes, or it has none where it needs one.',
    remedy: 'Send Content-Digest: sha-256=:<base64>: of the body as it is on the wire.',
  },
  HTTP_SIGNATURE_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'The signature of an HTTP message is malformed, leaves out what it must cover, or does not match.',
    remedy: 'Sign the message as the WIMSE profile of RFC 9421 asks for; what is wrong stands in the message.',
  },
  HTTP_SIGNATURE_MISSING: {
    grpc: 'UNAUTHENTICATED',
    http: 502,
    means: 'A service was asked to sign its response, and answered without a signature.',
    remedy: 'Give the service a WIT-SVID to sign responses with, or do not ask for it.',
  },
  REPLAY_CACHE_FULL: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'More proofs are remembered than there is room for, so that a new one could be used twice unseen.',
    remedy: 'Ask again in a moment; if it lasts, give the ReplayCache more room or let proofs live for a shorter time.',
  },
  RESPONSE_NOT_SIGNABLE: {
    grpc: 'UNIMPLEMENTED',
    http: 501,
    means:
      'A caller asked for a signed response, and this one cannot be signed: it is a stream, too long, or nothing signs here.',
    remedy: 'Do not ask for a signature on this request, or answer with a body that is whole before it is sent.',
  },
  STRUCTURED_FIELD_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'The value of an HTTP header is not a structured field, or exceeds a limit that the message names.',
    remedy: 'Write it as RFC 9651 says.',
  },
  WIT_KEY_UNKNOWN: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A WIT-SVID names a signing key that is not in the bundle of its trust domain.',
    remedy: 'Fetch the bundle again; a token of a new key is never issued before its key is published.',
  },
  WIT_PROOF_AUDIENCE: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A proof of possession is meant for another service or another path.',
    remedy: 'Make a proof for each request; the service is told its own addresses by configuration.',
  },
  WIT_PROOF_EXPIRED: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A proof of possession is not valid any more or not yet, or would be for too long.',
    remedy: 'Make a proof for each request, for seconds rather than minutes, and check the clocks of both sides.',
  },
  WIT_PROOF_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A proof of possession breaks a rule that the message names, or is not of the key in its WIT-SVID.',
    remedy: 'Sign the proof with the key of the WIT-SVID that is sent with it.',
  },
  WIT_PROOF_MISSING: {
    grpc: 'UNAUTHENTICATED',
    http: 400,
    means: 'A request carries no WIT-SVID, no proof of its key, or more than one of either.',
    remedy: 'Send one WIT-SVID in Workload-Identity-Token, with a Workload-Proof-Token or an HTTP signature.',
  },
  WIT_PROOF_REPLAYED: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A proof of possession was used before, or may have been before the clock of the service was set back.',
    remedy: 'Make a new proof for each request, also when it is repeated.',
  },
  WIT_SVID_EXPIRED: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A WIT-SVID is not valid any more, or not yet.',
    remedy: 'Get a new one from the Workload API, and check the clocks of both sides.',
  },
  WIT_SVID_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A token is not a WIT-SVID: the message names the rule it breaks.',
    remedy: 'Get a WIT-SVID from the Workload API and pass it unchanged.',
  },
  // src/broker
  BROKER_ENDPOINT_UNTRUSTED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'Whoever answers at the broker endpoint cannot prove to be the server that is wanted there.',
    remedy: 'Correct the address, or the `server` of the client: usually it is the SPIFFE ID of the agent.',
  },
  // src/workload
  ENDPOINT_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'The address of the Workload API is missing or malformed.',
    remedy: 'Set SPIFFE_ENDPOINT_SOCKET to unix:///path/to/agent.sock or tcp://127.0.0.1:port.',
  },
  IDENTITY_NOT_HELD: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'This workload holds no SVID that was asked for by id or hint.',
    remedy: 'Compare with `sallyport fetch x509`; register an entry if it is missing.',
  },
  SOURCE_CLOSED: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'A source of SVIDs or bundles was used after it had been closed.',
    remedy: 'Close a source last, when nothing uses it any more.',
  },
  SOURCE_TIMEOUT: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'A source has not got its first SVID or bundle in time; the message says what is missing.',
    remedy: 'Check that the agent runs and that an entry matches this process: `sallyport explain --pid PID`.',
  },
  SVID_EXPIRED: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The SVID of this workload has expired, and the agent has not sent a newer one.',
    remedy: 'Run `sallyport status` on the node: the agent or the server has been away for longer than an SVID lives.',
  },
  WORKLOAD_API_FAILED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'The Workload API answered a call with an error of its own, which the message repeats.',
    remedy: 'Look for the cause in the log of the agent.',
  },
  WORKLOAD_RESPONSE_INVALID: {
    grpc: 'INTERNAL',
    http: 502,
    means: 'A message of the Workload API is incomplete or malformed; what was held before stays in force.',
    remedy: 'Look for the cause in the log of the agent.',
  },
  // src/federation
  BUNDLE_ENDPOINT_FAILED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'A bundle endpoint did not answer with a bundle; the last good bundle stays in use.',
    remedy: 'Compare the URL with what its operator has published; it is asked again at the next interval.',
  },
  BUNDLE_ENDPOINT_UNTRUSTED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'Whoever answers at a bundle endpoint does not prove what its profile asks for; nothing was read.',
    remedy:
      'With https_web, let the endpoint present a certificate of a known CA for its host; with https_spiffe, compare endpointId, and whether the bundle that verifies it is current.',
  },
  BUNDLE_SEQUENCE_OLDER: {
    grpc: 'ABORTED',
    http: 502,
    means: 'A bundle endpoint answered with a bundle that is older than the one that is held, which stays in use.',
    remedy: 'Ask its operator whether it went back on purpose; if so, set that bundle here.',
  },
  BUNDLE_STALE: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'No X.509 authority is valid any more in the bundle that must verify a bundle endpoint.',
    remedy: 'Get the current bundle from the operator of that trust domain by a way that you trust, and set it here.',
  },
  BUNDLE_STORE_FAILED: {
    grpc: 'UNAVAILABLE',
    http: 500,
    means: 'Where fetched bundles are kept cannot be read or written, or others could write to it.',
    remedy: 'Name a folder that only the user of this process may write, on a disk with room.',
  },
  RELATIONSHIP_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A relationship with a foreign trust domain is incomplete, or is none that may be had.',
    remedy:
      'Give trustDomain, url and profile; https_spiffe also needs endpointId, and the first bundle where the endpoint publishes its own trust domain.',
  },
  // server/store
  AUDIT_BROKEN: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'The audit journal was edited, cut or rewritten: its hash chain does not hold.',
    remedy: 'Keep the database file for an investigation, and compare it with the checkpoints that agents hold.',
  },
  STORE_BUSY: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'More changes wait for the database than its queue holds.',
    remedy: 'Ask again in a moment; if it lasts, the disk is too slow for this load.',
  },
  STORE_CLOSED: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The server is shutting down and takes no more changes.',
    remedy: 'Ask again when it runs.',
  },
  STORE_CORRUPT: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'The database file is damaged, or is not a database.',
    remedy: 'Stop the server, keep the file, and restore the last good backup.',
  },
  STORE_FAILED: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'The database refused something that it should not; the cause is in the log of the server.',
    remedy: 'Look at the log of the server.',
  },
  STORE_FOREIGN: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'The file is a database, but not one of Sallyport.',
    remedy: 'Name another folder in `dataDir`.',
  },
  STORE_FULL: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The disk of the database is full, so the change was not made.',
    remedy: 'Free space on that disk; the server goes on by itself.',
  },
  STORE_IO_FAILED: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The disk of the database failed to read or write.',
    remedy: 'Look at the disk and the log of the system; the server tries again by itself.',
  },
  STORE_LOCKED: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'Another process holds the database.',
    remedy: 'Stop the other server, or the program that has the file open.',
  },
  STORE_LOG_PRUNED: {
    grpc: 'ABORTED',
    http: 410,
    means: 'The changes since that revision are not kept any more.',
    remedy: 'Take a snapshot and follow from its revision.',
  },
  STORE_NEWER: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'The database was written by a newer version of Sallyport.',
    remedy: 'Start that version, or restore the backup that was made before the migration.',
  },
  STORE_OUTCOME_UNKNOWN: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The writer of the database failed while it made this change; whether it was made is not known.',
    remedy: 'Read the object again before repeating the change.',
  },
  STORE_PERMISSIONS: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'The database or its folder is readable by others, or not writable by the server.',
    remedy: 'Make the file 0600 in a 0700 folder that belongs to the user of the server.',
  },
  // src/peer
  PROCESS_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The process at the other end of a socket cannot be identified safely; the message says why.',
    remedy: 'Look at what the message names: kernel, namespaces, or the process itself.',
  },
  PROCESS_UNIDENTIFIABLE: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'This system cannot tell who is at the other end of a unix socket.',
    remedy: 'Run on Linux 6.5 or newer, or set allowStartTimeFallback.',
  },
  SOCKET_IN_USE: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'Another process answers at that socket path or address.',
    remedy: 'Stop the other process, or choose another path or port.',
  },
  SOCKET_PATH_UNSAFE: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'A socket at that path cannot be made or trusted; the message says why.',
    remedy: 'Choose a short path below a directory that only its owner may write.',
  },
  // server/access
  AGENT_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The agent that calls may not act: its SVID has expired or was replaced, or it was banned or evicted.',
    remedy: 'An agent joins anew by itself unless it was banned; an administrator lifts a ban by evicting the agent.',
  },
  CALL_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'This caller may not call that method.',
    remedy: 'Call as one whom the method is for; administrators use the admin socket or an id in adminIds.',
  },
  CALLER_UNPROVEN: {
    grpc: 'UNAUTHENTICATED',
    http: 401,
    means: 'The client certificate of the caller does not prove an identity here.',
    remedy: 'Present a current X509-SVID of this trust domain.',
  },
  LIMIT_REACHED: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 429,
    means: 'The caller, or all callers together, asked for more than the configured limit.',
    remedy: 'Ask again later and for less at once, or raise the limit that the message names.',
  },
  SOCKET_FOLDER_REFUSED: {
    grpc: 'FAILED_PRECONDITION',
    http: 400,
    means: 'The admin socket was asked for in a place that others can reach or replace, or whose path is too long.',
    remedy: 'Choose a short path in a folder that only the user of the server may enter (mode 0700).',
  },
  // server
  DATA_FOLDER_REFUSED: {
    grpc: 'FAILED_PRECONDITION',
    http: 400,
    means: 'The folder of the server cannot be made, or others may look into it.',
    remedy: 'Choose a folder that belongs to the user of the server, with mode 0700.',
  },
  // server/sync
  STREAM_SUPERSEDED: {
    grpc: 'ABORTED',
    http: 409,
    means: 'The same agent has opened a newer push stream, which takes the place of this one.',
    remedy: 'Nothing, if the agent reconnected; if two machines use one agent identity, ban it.',
  },
  // src/wire
  ADDRESS_UNUSABLE: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'An address cannot be listened on.',
    remedy: 'Name an address of this machine, and a port that this user may open.',
  },
  CALL_CANCELLED: {
    grpc: 'CANCELLED',
    http: 499,
    means: 'The caller cancelled the call.',
    remedy: 'Nothing needs doing.',
  },
  CALL_LIMIT: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'One caller has more connections or calls open than it may.',
    remedy: 'Close some, or raise the limit that the message names.',
  },
  DEADLINE_EXCEEDED: {
    grpc: 'DEADLINE_EXCEEDED',
    http: 504,
    means: 'The time that the caller gave the call has passed.',
    remedy: 'Give it more time, or look at why the other side is slow.',
  },
  MESSAGE_TOO_LARGE: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 413,
    means: 'A message is larger than the limit, compressed or not.',
    remedy: 'Send less at once, such as smaller pages or batches.',
  },
  PROTOCOL_INVALID: {
    grpc: 'INTERNAL',
    http: 502,
    means: 'The other side broke a rule of gRPC or HTTP/2.',
    remedy: 'Check that the address belongs to a gRPC service.',
  },
  SHUTTING_DOWN: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The process is shutting down.',
    remedy: 'Ask again when it runs, or ask another one.',
  },
  UNREACHABLE: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'No connection to the other side could be made, or it was lost.',
    remedy: 'Check that it runs, and that the address is right.',
  },
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
  // server/attest
  ATTESTATION_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A message of a node attestation cannot be read.',
    remedy: 'Check that agent and server use the same node attestor.',
  },
  ATTESTATION_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'What a node presented does not prove who it is; the message names the reason.',
    remedy: 'Correct what the message names, then start the agent again.',
  },
  ATTESTATION_TIMEOUT: {
    grpc: 'DEADLINE_EXCEEDED',
    http: 504,
    means: 'A node did not answer within the time that an attestation may take.',
    remedy: 'Start the agent again; look at the network between agent and server.',
  },
  ATTESTOR_UNKNOWN: {
    grpc: 'FAILED_PRECONDITION',
    http: 400,
    means: 'The server has no node attestor of that type.',
    remedy: 'Enable it under nodeAttestors in server.yaml, or use another one.',
  },
  JOIN_TOKEN_ADDRESS: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'A join token was presented from outside of its address range.',
    remedy: 'Make a token for the right range with `sallyport token create --address-range`.',
  },
  JOIN_TOKEN_EXPIRED: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A join token was presented after its end.',
    remedy: 'Make a new one with `sallyport token create` and start the agent with it.',
  },
  JOIN_TOKEN_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A join token cannot be made as asked.',
    remedy: 'Correct what the message names; without a token of your own the server makes a random one.',
  },
  JOIN_TOKEN_SPENT: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A join token does not exist or has already been used.',
    remedy:
      'Make a new one with `sallyport token create` and start the agent with it. A token that somebody else used is an alarm.',
  },
  REJOIN_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'An agent could not return by proof of its last key; the message names the reason.',
    remedy: 'Make a new token with `sallyport token create` and start the agent with it.',
  },
  // server/rpc
  AGENT_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'No agent has that id.',
    remedy: 'List them with `sallyport agent list`.',
  },
  BATCH_TOO_LARGE: {
    grpc: 'RESOURCE_EXHAUSTED',
    http: 413,
    means: 'A call holds more items than one call may.',
    remedy: 'Split it.',
  },
  BUNDLE_EXISTS: {
    grpc: 'ALREADY_EXISTS',
    http: 409,
    means: 'A bundle of that trust domain is stored already.',
    remedy: 'Set or update it instead.',
  },
  BUNDLE_IN_USE: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'Registration entries federate with that trust domain.',
    remedy: 'Delete with mode `dissociate` or `delete`, or change the entries first.',
  },
  BUNDLE_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'No bundle of that trust domain is stored.',
    remedy: 'List them with `sallyport bundle list`.',
  },
  CONCURRENT_CHANGE: {
    grpc: 'ABORTED',
    http: 409,
    means: 'Somebody else changed the same record at the same moment.',
    remedy: 'Read it again, then repeat the change.',
  },
  ENTRY_EXISTS: {
    grpc: 'ALREADY_EXISTS',
    http: 409,
    means: 'A similar registration entry exists: the same id, or the same SPIFFE ID, parent and selectors.',
    remedy: 'Update the entry that the answer holds.',
  },
  ENTRY_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'No registration entry has that id, or it is not the caller’s.',
    remedy: 'List them with `sallyport entry list`.',
  },
  SERVICE_UNKNOWN: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'A health check names a service that has no state of its own.',
    remedy: 'Ask with an empty service name for the whole process.',
  },
  JOIN_TOKEN_EXISTS: {
    grpc: 'ALREADY_EXISTS',
    http: 409,
    means: 'That join token exists already.',
    remedy: 'Leave the token out, so that the server makes a random one.',
  },
  // agent/attest
  WORKLOAD_ATTESTATION_FAILED: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'No workload attestor could find out about the calling process.',
    remedy: 'Look at the log of the agent for what each attestor met.',
  },
  WORKLOAD_CHANGED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The process at the socket runs another program than when it connected, or has exited.',
    remedy: 'Connect again from the program that needs the identity.',
  },
  // agent/broker
  BROKER_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means:
      'A broker is not listed at this agent, is in quarantine or offboarded, or may not use this kind of reference over this socket or address.',
    remedy: 'List its SPIFFE ID with what it may refer to under experimental.broker.allow of the agent.',
  },
  WORKLOAD_NOT_ENTITLED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The workload that a broker refers to exists and is entitled to nothing that a broker may have.',
    remedy: 'Register the workload; identities with administrative rights are never given to brokers.',
  },
  WORKLOAD_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'The workload that a broker refers to does not exist, or has ended.',
    remedy: 'Forget what is held for it; refer to its successor by a reference of its own.',
  },
  WORKLOAD_REFERENCE_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'A reference to a workload is missing or malformed, or of a kind that this agent cannot resolve.',
    remedy: 'Correct what the message names.',
  },
  // agent
  AGENT_BANNED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The server has banned this agent, or does not know it any more.',
    remedy:
      'Lift the ban, or join the agent again with a new token; identities that are still valid are served until they expire.',
  },
  AGENT_STATE_INVALID: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'What the agent saved in its data folder cannot be read or does not belong together.',
    remedy: 'Remove the file that the message names and join again.',
  },
  BOOTSTRAP_REFUSED: {
    grpc: 'FAILED_PRECONDITION',
    http: 400,
    means: 'The agent has no safe way to recognise its server or to prove itself.',
    remedy: 'Give it a join file, or a trust bundle and a way to attest.',
  },
  CALLER_CHANGED: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The process at the socket runs another program than the one that connected, or has ended.',
    remedy: 'Connect again from the program that needs the identity.',
  },
  CALLER_LIMIT: {
    grpc: 'UNAVAILABLE',
    http: 429,
    means: 'One user has more calls open at this agent than it may have.',
    remedy: 'Close streams that are not needed, or raise the limit that the message names.',
  },
  HEADER_MISSING: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means:
      'A call of the Workload API came without the metadata workload.spiffe.io: true, or one of the broker endpoint without broker.spiffe.io: true, exactly once.',
    remedy: 'Use a client of that API, which sends it.',
  },
  HEARTBEAT_INVALID: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'A heartbeat of the server is not signed by the key that it announced, or goes back in time.',
    remedy: 'If it happens again, compare the audit journal with the checkpoints that the agents keep.',
  },
  IDENTITY_PENDING: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The agent cannot say yet whether this process has an identity, or cannot get it at the moment.',
    remedy: 'Ask again in a moment; `sallyport status` on the node says what the agent waits for.',
  },
  IDENTITY_WITHHELD: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'The identity of this process is in quarantine or offboarded: the agent gives out nothing of it.',
    remedy:
      'Find out why with `sallyport quarantine list` or `sallyport offboard list`; it is given again as soon as that is lifted.',
  },
  NO_IDENTITY: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'No registration entry matches the process that asks.',
    remedy: 'Run `sallyport explain --pid PID` on the node to see which selector differs.',
  },
  RESPONSE_TOO_LARGE: {
    grpc: 'UNAVAILABLE',
    http: 500,
    means: 'The identities and bundles of one process do not fit into a message that clients accept.',
    remedy: 'Register fewer identities for the process, or federate with fewer trust domains.',
  },
  SERVER_UNREACHABLE: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The agent has no connection to its server at the moment.',
    remedy: 'Check the address and the network; the agent keeps trying.',
  },
  SERVER_UNTRUSTED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'Whoever answers at the address of the server cannot prove to be it.',
    remedy:
      'Check the address; if the agent was away while authorities changed, give it a new trust bundle or join file.',
  },
  SERVER_ANSWER_INVALID: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'The server answered with something that the agent cannot use; the message says what.',
    remedy: 'Compare the versions of both; the log of the agent has the details.',
  },
  POLICY_CONTENT_REFUSED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means:
      'Something of policy that the server sent, or that the agent had saved, is not signed by a pinned key, goes back to an older state or cannot be read; the last good state stays in force.',
    remedy:
      'Compare `sallyport policy key list` on the server with `sallyport agent show` for this agent; the message says what was not believed.',
  },
  POLICY_KEYS_NOT_OFFERED: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means:
      'The server has not offered this agent a set of policy keys that it refused and that the named key has signed.',
    remedy:
      'Wait until `sallyport status --of agent` shows POLICY_KEYS_UNTRUSTED, and take the whole id of the active key from `sallyport policy key list` on the server.',
  },
  POLICY_KEYS_UNTRUSTED: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means:
      'The server tells of policy keys that no key vouches for which this agent trusts, as after a backup that is older than a revocation; the last good state stays in force.',
    remedy:
      'If the server is the right one: `sallyport policy key recover --key FILE` on it, with a policy key that agents still trust; where there is none, `sallyport agent repin KEY-ID` on each node.',
  },
  SYNC_MISMATCH: {
    grpc: 'UNAVAILABLE',
    http: 502,
    means: 'After a change the agent does not hold what the server says it should.',
    remedy: 'Nothing: the agent asks for everything anew.',
  },
  // cli
  COMMAND_INVALID: {
    grpc: 'INVALID_ARGUMENT',
    http: 400,
    means: 'The words of a command are not as it takes them.',
    remedy: 'Add --help for the options of the command.',
  },
  KOFFI_MISSING: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means:
      'The package koffi, through which server and agent ask the system who calls, was left out of the installation.',
    remedy: 'Install it beside Sallyport: `npm install koffi`.',
  },
  FILE_UNUSABLE: {
    grpc: 'FAILED_PRECONDITION',
    http: 400,
    means: 'A file or folder that a command names cannot be read or written.',
    remedy: 'Check the path and its permissions.',
  },
  SOCKET_FORBIDDEN: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'This user may not open the socket that the command talks to.',
    remedy: 'Run the command as root, or as a user who may administer the process.',
  },
  SOCKET_UNREACHABLE: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'No process answers at the socket that the command talks to.',
    remedy: 'Start the process, or name its socket by flag or environment.',
  },
  ITEM_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'What the command names does not exist.',
    remedy: 'List what exists with the `list` command of the same noun.',
  },
  ITEM_EXISTS: {
    grpc: 'ALREADY_EXISTS',
    http: 409,
    means: 'The same thing exists already.',
    remedy: 'Show it with the `show` command of the same noun, or change it with `update`.',
  },
  ITEM_IN_USE: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'Something else still needs it.',
    remedy: 'Remove what needs it first.',
  },
  DEV_PROCESS_ENDED: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'A process of `sallyport dev` ended by itself.',
    remedy: 'Read what it printed.',
  },
  DEV_SCENE_FAILED: {
    grpc: 'INTERNAL',
    http: 500,
    means:
      'In `sallyport dev` something was allowed, refused or left open that the policy of the demo says otherwise about.',
    remedy: 'Report it with what was printed above.',
  },
  FILE_EXISTS: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'A file that would be written exists already.',
    remedy: 'Choose another folder, or remove the file.',
  },
  // server/keys
  KEY_STORE_CORRUPT: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'A file of the key store does not hold a key that the server made.',
    remedy: 'Restore the file from a backup, or move it away: the server then makes a new authority.',
  },
  KEY_STORE_FAILED: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'A key could not be made, read or removed.',
    remedy: 'Look at the disk and the permissions of the folder of keys.',
  },
  KEY_STORE_PERMISSIONS: {
    grpc: 'FAILED_PRECONDITION',
    http: 500,
    means: 'A key or its folder can be reached by other users.',
    remedy: 'Make the folder 0700 and the files 0600, owned by the user of the server.',
  },
  // server/policy, server/lifecycle
  ENTRY_LABELS_DIFFER: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'The entries of one SPIFFE ID would not agree in their labels any more (ZO-11).',
    remedy: 'Change the labels of all entries of that id in one go.',
  },
  ENTRY_WOULD_LOSE: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means:
      'A change of an entry would make what identities have to know of the policy longer than agents take; nothing was changed.',
    remedy:
      'Change no labels or selectors that place identities elsewhere or that conditions read, or let fewer services be within reach of those that the message names.',
  },
  ISSUANCE_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'Policy or lifecycle do not let this identity have an SVID, or a token for this audience, at present.',
    remedy:
      'The message says why: end the quarantine, reinstate the identity, or add a conduit to the zone of the audience.',
  },
  LIFECYCLE_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'There is no quarantine, grant, session or offboarding of that name.',
    remedy: 'List what there is with the `list` command of the same noun.',
  },
  LIFECYCLE_REFUSED: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'A rule of quarantine, grants, break-glass or offboarding does not allow this; the message names it.',
    remedy: 'Change what the message names, or let somebody do it who may.',
  },
  POLICY_BASE_STALE: {
    grpc: 'ABORTED',
    http: 409,
    means: 'The policy was changed since the revision that this change was made from.',
    remedy: 'Read the current revision, make the change again on top of it, then apply.',
  },
  POLICY_KEY_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'This server has no policy key of that id, or it is revoked already.',
    remedy: 'List them with `sallyport policy key list`.',
  },
  POLICY_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'There is no such policy revision, no policy at all, or none that waits for a signature.',
    remedy: 'List them with `sallyport policy list`.',
  },
  POLICY_SIGNATURE_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'A second signature of a policy is not one by a configured key over its digest.',
    remedy: 'Sign the digest that `sallyport policy apply` printed, with a key that `policy.secondSigners` names.',
  },
  POLICY_WOULD_LOSE: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means:
      'A policy would take every right of a zone in use, or the way in of an administrator; the message lists what.',
    remedy: 'Keep what the message lists, or apply it with --accept-loss.',
  },
  ZONE_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'An administrator who is bound to zones asked for something outside of them, or for rights on the server.',
    remedy: 'Ask somebody with rights in the zones that the message names.',
  },
  // server/authority
  AUTHORITY_EXPIRED: {
    grpc: 'UNAVAILABLE',
    http: 503,
    means: 'The signing authority is past its end, or not yet valid, so it signs nothing.',
    remedy: 'Check the clock of the server; a new authority is made by itself within seconds.',
  },
  AUTHORITY_NOT_FOUND: {
    grpc: 'NOT_FOUND',
    http: 404,
    means: 'This server has no signing authority of that id.',
    remedy: 'List them with `sallyport status`.',
  },
  AUTHORITY_STATE: {
    grpc: 'FAILED_PRECONDITION',
    http: 409,
    means: 'A signing authority is not in the state that this step needs.',
    remedy: 'Compare its state in `sallyport status`: prepare, activate, taint, revoke follow each other.',
  },
  SIGNED_OTHERWISE: {
    grpc: 'INTERNAL',
    http: 500,
    means: 'What was signed is not what was asked for; it was thrown away.',
    remedy: 'Report it: the audit journal holds the record of what was to be signed.',
  },
  SIGNING_REFUSED: {
    grpc: 'PERMISSION_DENIED',
    http: 403,
    means: 'Something was to be signed that this server never signs; the message names the rule.',
    remedy: 'Correct the id, names or lifetime that the message names.',
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

/** Whether something that was caught is an error that Sallyport threw on purpose, with its stable `code`. */
export function isSallyportError(error: unknown): error is SallyportError {
  return error instanceof SallyportError
}
