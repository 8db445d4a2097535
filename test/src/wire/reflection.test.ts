import type protobuf from 'protobufjs'
import descriptor from 'protobufjs/ext/descriptor/index.js'
import { describe, expect, test } from 'vitest'
import { implement } from '../../../src/wire/implementation.ts'
import { healthService } from '../../../src/wire/messages/grpc-health-v1.ts'
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../../src/wire/messages/grpc-reflection-v1.ts'
import { adminService } from '../../../src/wire/messages/sallyport-agent-v1.ts'
import { spiffeWorkloadApiService } from '../../../src/wire/messages/spiffe-workload.ts'
import { reflection } from '../../../src/wire/reflection.ts'
import type { Sent } from '../../../src/wire/service.ts'

const offered = [implement(spiffeWorkloadApiService, {}), implement(healthService, {})]
const implementations = reflection(offered)

async function ask(
  ...requests: Partial<ServerReflectionRequest>[]
): Promise<readonly Sent<ServerReflectionResponse>[]> {
  const info = implementations[0]?.handlers['serverReflectionInfo'] as (
    asked: AsyncIterable<unknown>,
  ) => AsyncIterable<Sent<ServerReflectionResponse>>
  return Array.fromAsync(
    info(
      (async function* () {
        yield* requests.map((request) => ({ host: 'h', ...request }))
      })(),
    ),
  )
}

const bySymbol = (symbol: string) => ask({ messageRequest: 'fileContainingSymbol', fileContainingSymbol: symbol })

describe('reflection', () => {
  test('RF-01: it lists every service that is offered, itself in both packages, and no other', async () => {
    const [answer] = await ask({ messageRequest: 'listServices', listServices: '*' })
    expect(answer?.listServicesResponse?.service?.map((one) => one?.name)).toEqual([
      'SpiffeWorkloadAPI',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ])
    expect(answer).toMatchObject({ validHost: 'h', originalRequest: { listServices: '*' } })
    expect(implementations.map(({ service }) => service.name)).toEqual([
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ])
  })

  test.for([
    'SpiffeWorkloadAPI',
    'SpiffeWorkloadAPI.FetchX509SVID',
    'ValidateJWTSVIDResponse',
    'ValidateJWTSVIDResponse.claims',
  ])('RF-02: it finds %s with what its file imports', async (symbol) => {
    const [answer] = await bySymbol(symbol)
    const files = answer?.fileDescriptorResponse?.fileDescriptorProto ?? []
    expect(files.map((bytes) => described(bytes).name)).toEqual([
      'spiffe/workload.proto',
      'google/protobuf/struct.proto',
    ])
  })

  test.for([
    [{ messageRequest: 'fileContainingSymbol', fileContainingSymbol: 'no.such.Thing' }, 'no.such.Thing'],
    [{ messageRequest: 'fileContainingSymbol', fileContainingSymbol: '..' }, '..'],
    [{ messageRequest: 'fileByFilename', fileByFilename: 'constructor' }, 'constructor'],
    [{ messageRequest: 'allExtensionNumbersOfType', allExtensionNumbersOfType: 'X509SVID' }, 'X509SVID'],
    [{}, ''],
  ] as const)('says that it cannot find %j', async ([request, name]) => {
    const [answer] = await ask(request)
    expect(answer?.errorResponse).toEqual({ errorCode: 5, errorMessage: `Cannot find "${name}"` })
  })

  test('answers one question after the other on one stream', async () => {
    const answers = await ask(
      { messageRequest: 'fileByFilename', fileByFilename: 'google/protobuf/struct.proto' },
      { messageRequest: 'fileByFilename', fileByFilename: 'nowhere.proto' },
    )
    expect(answers.map((one) => one.errorResponse?.errorCode)).toEqual([undefined, 5])
  })

  test('every service of the agent is described', async () => {
    for (const { name } of [
      adminService,
      spiffeWorkloadApiService,
      healthService,
      ...implementations.map(({ service }) => service),
    ]) {
      const [answer] = await bySymbol(name)
      expect(answer?.fileDescriptorResponse?.fileDescriptorProto, name).not.toBeUndefined()
    }
  })
})

interface FileProto {
  readonly name: string
}

const { FileDescriptorProto } = descriptor as unknown as { readonly FileDescriptorProto: protobuf.Type }
const described = (bytes: Uint8Array | undefined): FileProto =>
  FileDescriptorProto.decode(bytes ?? new Uint8Array()) as unknown as FileProto
