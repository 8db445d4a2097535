/** A mask says which fields are wanted: none given means all, else exactly those set. */
export type Mask<Field extends string> = Readonly<Partial<Record<Field, boolean>>> | null | undefined

/** Whether a field is wanted. */
export function wants<Field extends string>(mask: Mask<Field>, field: Field): boolean {
  return mask === null || mask === undefined || mask[field] === true
}

/** The message with only the fields that are in `always` or wanted. */
export function masked<M extends object, Field extends string & keyof M>(
  message: M,
  always: readonly (keyof M)[],
  mask: Mask<Field>,
): Partial<M> {
  if (mask === null || mask === undefined) return message
  const kept = Object.entries(message).filter(
    ([field]) => always.includes(field as keyof M) || mask[field as Field] === true,
  )
  return Object.fromEntries(kept) as Partial<M>
}
