import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Prepares the SQL of a template once and returns it ever after. */
export type Prepared = (sql: TemplateStringsArray) => StatementSync

/** Statements of one connection, kept by the place in the source where they are written; values are bound, never pasted. */
export function preparedBy(db: DatabaseSync): Prepared {
  const statements = new Map<TemplateStringsArray, StatementSync>()
  return (sql) => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const made = db.prepare(sql.join('?'))
    statements.set(sql, made)
    return made
  }
}
