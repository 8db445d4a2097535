import { SallyportError } from '../errors.ts'

/**
 * Variables that make Node, OpenSSL or the loader run or trust what somebody else chose. The launcher strips them; a daemon that
 * meets one was not started by it.
 */
export const FORBIDDEN_VARIABLES: readonly RegExp[] = [
  /^NODE_OPTIONS$/,
  /^NODE_TLS_REJECT_UNAUTHORIZED$/,
  /^NODE_EXTRA_CA_CERTS$/,
  /^SSLKEYLOGFILE$/,
  /^OPENSSL_CONF$/,
  /^LD_/,
]

/**
 * Refuses to run a daemon in an environment that could read its keys or weaken its checks (SE-30).
 *
 * @throws {@link SallyportError} `ENVIRONMENT_REFUSED`
 */
export function checkEnvironment(environment: NodeJS.ProcessEnv): void {
  const found = Object.keys(environment).filter((name) => FORBIDDEN_VARIABLES.some((forbidden) => forbidden.test(name)))
  if (found.length === 0) return
  throw new SallyportError('ENVIRONMENT_REFUSED', `Cannot run with ${found.join(', ')} set`, {
    hint: `Unset ${found.join(', ')}, or start with bin/sallyport.js, which removes them.`,
  })
}
