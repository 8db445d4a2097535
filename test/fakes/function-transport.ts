import type { Client, Transport } from '../../src/wire/client.ts'
import type { Methods, Service } from '../../src/wire/service.ts'

/** A transport whose methods are functions of the test, by the name of the service. */
export function functionTransport(services: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Transport {
  return {
    client<M extends Methods>(service: Service<M>): Client<Service<M>> {
      const functions = services[service.name]
      if (functions === undefined) throw new Error(`no functions for ${service.name}`)
      return functions as unknown as Client<Service<M>>
    },
    close: async () => undefined,
  }
}
