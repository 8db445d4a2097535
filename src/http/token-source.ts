/** Who hands out tokens, such as `JwtSource`. */
export interface TokenSource {
  fetch(
    audience: readonly string[] | string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly token: string }>
}

/** @throws TypeError for what can only be a mistake of the program */
export function checkTokenOrder(source: TokenSource, audience: readonly string[] | string): void {
  if (typeof (source as Partial<TokenSource>).fetch !== 'function')
    throw new TypeError('A token needs a source: is the `await` of `await JwtSource.open()` missing?')
  // One text is one audience: every text includes the empty one.
  if (audience.length === 0 || [audience].flat().includes(''))
    throw new TypeError('A token needs at least one audience')
}
