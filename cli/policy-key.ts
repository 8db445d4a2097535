import { sign } from 'node:crypto'
import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import { policiesService, type ListPolicyKeysResponse } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { readEd25519Key } from './ed25519-key.ts'
import { counted, printInstant, type Result } from './print.ts'

interface ReasonOptions extends GlobalOptions {
  readonly reason: string
}

/** The keys that sign what agents are told of policy. */
export function policyKeyCommand(): Command {
  const key = new Command('key').description('the keys that sign policies, and the agents that do not know them yet')
  key
    .command('list')
    .description('list policy keys, and those of second signers')
    .addHelpText('after', '\nExample:\n  sallyport policy key list')
    .action(action(listKeys))
  key
    .command('rotate')
    .description('sign with a new key from now on; the old one stays trusted until it is revoked')
    .requiredOption('--reason <text>', 'why, for the journal')
    .addHelpText('after', '\nExample:\n  sallyport policy key rotate --reason "once a quarter"')
    .action(action(rotateKey))
  key
    .command('revoke')
    .argument('<key id>', 'whole, or its first characters')
    .description('trust a key no longer; when it is the one that signs, another is made first')
    .requiredOption('--reason <text>', 'why, for the journal')
    .addHelpText('after', '\nExample:\n  sallyport policy key revoke 4be1a9c0 --reason "the backup was stolen"')
    .action(action(revokeKey))
  key
    .command('recover')
    .description('have a key that agents still trust vouch for the keys of a server that was restored from a backup')
    .requiredOption('--key <path>', 'PEM file of the private key, from the keys folder that was there before')
    .requiredOption('--reason <text>', 'why, for the journal')
    .addHelpText(
      'after',
      `
After a backup was put back that is older than \`policy key revoke\`, agents refuse the keys in it: POLICY_KEYS_UNTRUSTED.
The private key stays in this process; the server gets a signature. The key that vouches is not trusted by the server.

Example:
  sallyport policy key recover --key /var/lib/sallyport/server.before/keys/policy-91c2b8aa07f3e5d4.key --reason "restored on Friday"

Where no such key is left, name the key of now on each node: \`sallyport agent repin KEY-ID\`.`,
    )
    .action(action(recoverKeys))
  return key
}

async function listKeys(options: GlobalOptions): Promise<Result> {
  return withServer(options, async (transport) => shown(await transport.client(policiesService).listKeys({})))
}

async function rotateKey({ reason, ...options }: ReasonOptions): Promise<Result> {
  return withServer(options, async (transport) => shown(await transport.client(policiesService).rotateKey({ reason })))
}

async function revokeKey({ reason, ...options }: ReasonOptions, written: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const policies = transport.client(policiesService)
    const { keys } = await policies.listKeys({})
    const [found, ...others] = keys.filter(({ keyId }) => keyId.toString('hex').startsWith(written.toLowerCase()))
    if (found === undefined || others.length > 0) {
      const why = found === undefined ? 'it is none' : `${counted(others.length + 1, 'key')} begin like that`
      throw new SallyportError('POLICY_KEY_NOT_FOUND', `Cannot revoke the policy key ${written.slice(0, 80)}: ${why}`)
    }
    return shown(await policies.revokeKey({ keyId: found.keyId, reason }))
  })
}

async function recoverKeys({
  key: path,
  reason,
  ...options
}: ReasonOptions & { readonly key: string }): Promise<Result> {
  const { privateKey, spki, warnings } = await readEd25519Key(path, KEY_HINT)
  return withServer(options, async (transport) => {
    const policies = transport.client(policiesService)
    const { set } = await policies.listKeys({})
    const signature = sign(null, set?.content ?? Buffer.alloc(0), privateKey)
    return { ...shown(await policies.vouchForKeys({ publicKey: spki, signature, reason })), warnings }
  })
}

const KEY_HINT = 'Policy keys are the files policy-*.key in the folder keys of the data folder of a server.'

function shown({ version, keys, waitingFor, refusedBy }: ListPolicyKeysResponse): Result {
  const now = new Date()
  return {
    value: {
      version,
      waitingFor,
      refusedBy,
      keys: keys.map(({ keyId, publicKey, createdAtMs, ...rest }) => ({
        keyId: keyId.toString('hex'),
        ...rest,
        publicKey: publicKey.toString('base64'),
        created: createdAtMs === 0 ? null : new Date(createdAtMs).toISOString(),
      })),
    },
    rows: keys.map(({ keyId, use, state, createdAtMs }) => ({
      'key id': keyId.toString('hex'),
      use: use === 'second' ? 'second signature' : 'policy',
      state,
      created: createdAtMs === 0 ? '' : printInstant(new Date(createdAtMs), now),
    })),
    sentence: whoKnows(version, waitingFor, refusedBy),
  }
}

function whoKnows(version: number, waitingFor: readonly string[], refusedBy: readonly string[]): string {
  if (refusedBy.length > 0) {
    return `Version ${version}; refused by ${refusedBy.join(', ')}: none of the keys that signed it is one that they trust. \`sallyport policy key recover --help\` says what helps.`
  }
  return waitingFor.length === 0
    ? `Version ${version}; every agent that handles policy knows it.`
    : `Version ${version}; not yet known to ${waitingFor.join(', ')}.`
}
