import { unix } from './unix.ts'

/** The workload attestors that are built in, by selector type. */
export const workloadAttestors = { unix } as const
