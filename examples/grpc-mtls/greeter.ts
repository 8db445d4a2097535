import { join } from 'node:path'
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

export interface GreetRequest {
  readonly greeting: string
}

export interface GreetResponse {
  readonly text: string
}

const { examples } = loadPackageDefinition(loadSync(join(import.meta.dirname, 'greeter.proto')))

/** The service of greeter.proto, for servers and clients. */
export const Greeter = (examples as GrpcObject)['Greeter'] as ServiceClientConstructor
