import { Server as GrpcServer, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { serverCredentials } from '../../src/grpc/index.ts'
import { memberOf } from '../../src/id/matcher.ts'
import { Connections } from '../../src/tls/connections.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { tlsServer, type TlsServerOptions } from '../../src/tls/tls-server.ts'
import { X509Source } from '../../src/workload/x509-source.ts'
import { greet, memoryNow, type ServiceReady, type ServiceReport } from './messages.ts'

// A service as people write it: HTTP/1.1 and HTTP/2 on one port, gRPC on another, to members of its trust domain. `service.ts ID`;
// each line on its standard input asks for a report.

const say = (message: ServiceReady | ServiceReport): void => void process.stdout.write(`${JSON.stringify(message)}\n`)

const source = await X509Source.open({ picker: { spiffeId: process.argv[2]! } })
const connections = new Connections({ retire: { drainMs: 5_000 } })
const refused: Record<string, number> = {}
const issuers = new Set<string>()
let opened = 0
const rules: TlsServerOptions = {
  allow: memberOf('example.org'),
  connections,
  admit: ({ svid }) => {
    opened++
    issuers.add(svid.chain[0].authorityKeyId?.toString('hex') ?? '')
  },
  onRefused: (error) => {
    const code = (error as { readonly code?: string }).code ?? error.message
    refused[code] = (refused[code] ?? 0) + 1
  },
}

const server = http2.createSecureServer({ ...tlsServer(source, rules), allowHTTP1: true }, (request, response) =>
  response.end(peerOf(request).id.path),
)
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const grpc = new GrpcServer()
grpc.addService(
  { greet },
  {
    greet: (call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) => answer(null, peerOf(call).id.path),
  },
)
const grpcPort = await new Promise<number>((resolve, reject) =>
  grpc.bindAsync('127.0.0.1:0', serverCredentials(source, rules), (error, port) =>
    error === null ? resolve(port) : reject(error),
  ),
)

say({ httpPort: (server.address() as AddressInfo).port, grpcPort })
for await (const _line of createInterface({ input: process.stdin }))
  say({ ...memoryNow(), opened, expired: connections.closed.get('expired') ?? 0, refused, issuers: issuers.size })
process.exit(0)
