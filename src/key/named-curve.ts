/** The named curves that keys may be on, each with the one way to write a SubjectPublicKeyInfo on it: the bytes before the coordinates of an uncompressed point. */
const curves = [
  { name: 'prime256v1', prefix: '3059301306072a8648ce3d020106082a8648ce3d03010703420004', pointBytes: 64 },
  { name: 'secp384r1', prefix: '3076301006072a8648ce3d020106052b8104002203620004', pointBytes: 96 },
  { name: 'secp521r1', prefix: '30819b301006072a8648ce3d020106052b810400230381860004', pointBytes: 132 },
].map(({ name, prefix, pointBytes }) => ({ name, prefix: Buffer.from(prefix, 'hex'), pointBytes }))

/** The curve of a key by its SubjectPublicKeyInfo, in OpenSSL's names; undefined for any other kind of key or form of writing it. */
export function namedCurveOf(spki: Buffer): string | undefined {
  return curves.find(
    ({ prefix, pointBytes }) =>
      spki.length === prefix.length + pointBytes && spki.compare(prefix, 0, prefix.length, 0, prefix.length) === 0,
  )?.name
}
