/** The kinds of keys that authorities and workloads may have. */
export const keyTypes = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096'] as const
export type KeyType = (typeof keyTypes)[number]
