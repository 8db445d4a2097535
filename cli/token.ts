import { Command } from 'commander'
import { fstatSync } from 'node:fs'
import { printJoinString } from '../src/config/join-string.ts'
import { adminService } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { parseWholeSeconds } from './durations.ts'
import type { Result } from './print.ts'
import { withWholeIds } from './whole-id.ts'

export function tokenCommand(): Command {
  const token = new Command('token')
  token
    .command('create')
    .description('make a join token; prints one string that holds the address, the hash of the CA and the token')
    .option('--spiffe-id <id>', 'name for the node, which entries use as their parent')
    .option('--ttl <duration>', 'how long the token works', '10m')
    .option('--bare', 'print the token alone, for --join-token-file or an agent of SPIRE', false)
    .option('--address-range <cidr>', 'where it may be used from, such as 10.0.0.0/8')
    .addHelpText(
      'after',
      `
Example:
  sallyport token create --spiffe-id spiffe://example.org/node/web-1 > join.txt
  sallyport agent run --join-file join.txt`,
    )
    .action(action(createToken))
  return token
}

async function createToken(
  options: GlobalOptions & { spiffeId?: string; ttl: string; addressRange?: string; bare: boolean },
): Promise<Result> {
  const ttlSeconds = parseWholeSeconds(options.ttl)
  return withServer(options, async (transport) => {
    const { spiffeId = '' } = await withWholeIds(options, transport)
    const answer = await transport
      .client(adminService)
      .createToken({ ttlSeconds, spiffeId, addressRange: options.addressRange ?? '' })
    const { token, serverAddress, trustDomain, authorityHashes } = answer
    const joinString = printJoinString({ token, serverAddress, trustDomain, authorityHashes })
    const expiresAt = new Date(answer.expiresAt * 1000).toISOString()
    return {
      value: options.bare ? { token, expiresAt } : { joinString, expiresAt },
      sentence: options.bare ? token : joinString,
      warnings: readableByOthers()
        ? [
            'The file that this is written to can be read by other users: `chmod 600` it. It is a secret until it is used.',
          ]
        : [],
    }
  })
}

/** Does standard output end in a file that is open to others, as `> join.txt` makes it? */
function readableByOthers(): boolean {
  const status = fstatSync(process.stdout.fd)
  return status.isFile() && (status.mode & 0o077) !== 0
}
