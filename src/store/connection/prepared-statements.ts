import { hash } from 'node:crypto';

const names = new Map<string, string>();

/**
 * Marks the text of a statement that runs with nearly every request, so that PostgreSQL plans it
 * once per connection. Returns the text.
 */
export function prepared(sql: string): string {
  names.set(sql, `holdfast_${hash('sha256', sql).slice(0, 16)}`);
  return sql;
}

/** The name of a prepared statement; empty for all others, which PostgreSQL forgets. */
export function statementName({ sql }: { readonly sql: string }): string {
  return names.get(sql) ?? '';
}
