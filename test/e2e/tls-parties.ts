import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { heldSvid, TestSource } from '../fakes/test-source.ts'

/** Two services of one trust domain and a partner, with their sources. */
export interface TlsParties {
  readonly home: TestAuthority
  readonly partner: TestAuthority
  readonly web: X509Svid
  readonly db: X509Svid
  webSource: TestSource
  dbSource: TestSource
}

export async function tlsParties(): Promise<TlsParties> {
  const [home, partner] = await Promise.all([
    TestAuthority.create(),
    TestAuthority.create({ trustDomain: 'partner.test' }),
  ])
  const [web, db] = await Promise.all([heldSvid(home, '/web'), heldSvid(home, '/db')])
  const bundles = [home.bundle(), partner.bundle()]
  return {
    home,
    partner,
    web,
    db,
    webSource: new TestSource(web, ...bundles),
    dbSource: new TestSource(db, ...bundles),
  }
}

/** Servers on loopback that close with their last connection, whoever left it open. */
export class Listeners implements Disposable {
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  async listen<S extends Server>(server: S): Promise<S> {
    server.on('connection', (socket: Socket) => this.#sockets.add(socket))
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  [Symbol.dispose](): void {
    for (const server of this.#servers.splice(0)) server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

export const portOf = (server: Server): number => (server.address() as AddressInfo).port
export const originOf = (server: Server): string => `https://127.0.0.1:${portOf(server)}`
