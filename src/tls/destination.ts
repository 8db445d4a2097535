const HTTPS_PORT = 443

/** Where an `https:` URL leads to. */
export const destinationOf = ({ hostname, port }: Readonly<Pick<URL, 'hostname' | 'port'>>) => ({
  // Brackets mark an IPv6 address in URLs only.
  host: hostname.replaceAll(/^\[|\]$/g, ''),
  port: port === '' ? HTTPS_PORT : Number(port),
})
