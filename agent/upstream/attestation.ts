/** One way for an agent to prove what it is: what it says first, and what it answers when the server asks back. */
export interface Attestation {
  /** As servers know it: `join_token`, `x509pop`, … */
  readonly type: string
  readonly payload: Buffer
  /** Answers a challenge; throws when there is nothing that this type could be asked. */
  answer(challenge: Buffer): Promise<Buffer>
}
