import type { RegistrationEntry } from './registration-entry.ts'

/** Gives rights beyond its own identity. */
export const isPrivileged = ({ admin, downstream }: Pick<RegistrationEntry, 'admin' | 'downstream'>): boolean =>
  admin || downstream
