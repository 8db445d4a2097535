import { X509Certificate } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, RunningProcess } from '../e2e/processes.ts'
import type { ForeignEnd, ForeignVerdict } from './foreign-peer.ts'

/** `s_client` and `s_server` with the files of an SVID. They verify chains; of SPIFFE IDs they know nothing. */
export class OpensslPeer implements ForeignEnd {
  #server: RunningProcess | undefined

  async dial(_protocol: string, port: number, _wanted: string, folder: string): Promise<ForeignVerdict> {
    const args = ['s_client', '-quiet', '-tls1_3', '-connect', `127.0.0.1:${port}`, ...presenting(folder)]
    const { stdout, stderr } = await run('openssl', args)
    return stdout === '' ? { refused: stderr } : { peer: stdout }
  }

  async serve(_protocol: string, _wanted: string, folder: string): Promise<number> {
    const args = ['s_server', '-accept', '127.0.0.1:0', '-naccept', '1', '-tls1_3', '-Verify', '9']
    this.#server = new RunningProcess('openssl', [...args, ...presenting(folder)])
    const [, port] = await this.#server.printed(/^ACCEPT .*:(\d+)$/m)
    this.#greet(this.#server).catch(() => undefined)
    return Number(port)
  }

  async outcome(): Promise<ForeignVerdict> {
    const server = this.#server!
    await server.exited
    const peer = clientOf(server.stdout)
    return peer === undefined ? { refused: server.stderr } : { peer }
  }

  /** It sends what it reads, and ends the connection when that ends. */
  async #greet(server: RunningProcess): Promise<void> {
    await server.printed(/-----END CERTIFICATE-----/)
    server.child.stdin?.on('error', () => undefined).end(clientOf(server.stdout))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
  }
}

/** What it presents, and whom it trusts: the authorities of all trust domains in one pool, which is all that it can do. */
function presenting(folder: string): string[] {
  const pool = join(folder, 'pool.pem')
  const [leaf = '', ...others] = readFileSync(join(folder, 'chain.pem'), 'utf8').split(
    /(?<=-----END CERTIFICATE-----\n)/,
  )
  const rest = join(folder, 'rest.pem')
  if (!existsSync(pool)) {
    writeFileSync(
      pool,
      globSync(join(folder, '../bundles/*.pem'))
        .map((file) => readFileSync(file, 'utf8'))
        .join(''),
    )
    writeFileSync(join(folder, 'leaf.pem'), leaf)
    writeFileSync(rest, others.join(''))
  }
  return [
    ...['-cert', join(folder, 'leaf.pem'), '-key', join(folder, 'key.pem')],
    ...(others.length === 0 ? [] : ['-cert_chain', rest]),
    ...['-CAfile', pool, '-no-CApath', '-no-CAstore', '-verify_return_error'],
  ]
}

function clientOf(printed: string): string | undefined {
  const [pem] = /-----BEGIN CERTIFICATE-----[^]+-----END CERTIFICATE-----/.exec(printed) ?? []
  return pem === undefined ? undefined : /URI:([^\s,]+)/.exec(new X509Certificate(pem).subjectAltName ?? '')?.[1]
}
