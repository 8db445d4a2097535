import { Command, Option } from 'commander'
import { action } from './action.ts'
import { initServer } from './init-server.ts'
import { runServer } from './run-server.ts'

export function serverCommand(): Command {
  const server = new Command('server')
  server
    .command('init')
    .description('write a commented server.yaml; nothing else needs to be made by hand')
    .requiredOption('--trust-domain <name>', 'the trust domain the server is the authority of, such as example.org')
    .option('--dir <folder>', 'where server.yaml, the database and the keys go', './server')
    .option('--listen <host:port>', 'where agents reach it', '0.0.0.0:8081')
    .option('--advertise <host:port>', 'the address that join files name (default: the host name and the port)')
    .addOption(
      new Option('--ca-key-type <type>', 'kind of CA key').choices(['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096']),
    )
    .addHelpText(
      'after',
      '\nExample:\n  sallyport server init --trust-domain example.org --dir ./server\n  sallyport server run --config server/server.yaml',
    )
    .action(action(initServer))
  server
    .command('run')
    .description('run the server until SIGTERM')
    .requiredOption('--config <path>', 'server.yaml')
    .option('--log-level <level>', 'debug, info, warn or error')
    .addHelpText('after', '\nExample:\n  sallyport server run --config server/server.yaml')
    .action(action(runServer))
  return server
}
