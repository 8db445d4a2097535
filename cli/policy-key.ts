import { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import { policiesService, type ListPolicyKeysResponse } from '../src/wire/messages/sallyport-server-v1.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
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

function shown({ version, keys, waitingFor }: ListPolicyKeysResponse): Result {
  const now = new Date()
  return {
    value: {
      version,
      waitingFor,
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
    sentence:
      waitingFor.length === 0
        ? `Version ${version}; every agent that handles policy knows it.`
        : `Version ${version}; not yet known to ${waitingFor.join(', ')}.`,
  }
}
