import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { migrationAdapterFor } from './adapters.ts';

/** The database cannot be used as it is; the message and the causes say what to do. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** One schema of a PostgreSQL database, in which all statements find and create their tables. */
export interface PostgresqlPlace {
  /** A connection string that puts the schema first in the `search_path` of each session. */
  readonly url: string;
  /** The name of the schema, which qualifies the statements of the models. */
  readonly schema: string;
}

/**
 * Finds the schema of an installation: that of `?schema=`, created if missing, or else the first
 * existing one of the session's `search_path`, whether set by `options`, the database, the role or
 * the role's name. Refuses an encoding other than UTF8. Throws DatabaseError.
 */
export async function postgresqlPlace(given: string): Promise<PostgresqlPlace> {
  const { url, wanted } = withSearchPath(given);
  const connection = await (await migrationAdapterFor(url)).connect();
  try {
    if (wanted !== undefined) await makeSchema(connection, wanted);
    const [schema, encoding, path, role] = await ask(connection);
    if (encoding !== 'UTF8')
      throw new DatabaseError(
        `The database has the encoding ${encoding}, which cannot hold every name. Create one by: create database holdfast encoding 'UTF8' template template0`,
      );
    if (schema === null)
      throw new DatabaseError(
        `The role ${role} finds no schema that exists and that it may use (search_path: ${path}). Create one by: create schema holdfast authorization ${role} – and add ?schema=holdfast to DATABASE_URL.`,
      );
    if (wanted !== undefined && schema !== wanted)
      throw new DatabaseError(
        `The role ${role} may not use the schema ${wanted}: grant usage, create on schema ${wanted} to ${role}`,
      );
    return { url, schema: String(schema) };
  } catch (cause) {
    if (cause instanceof DatabaseError) throw cause;
    throw new DatabaseError('PostgreSQL refuses the first statement, or cannot be reached.', {
      cause,
    });
  } finally {
    await connection.dispose();
  }
}

async function ask(connection: SqlDriverAdapter): Promise<readonly (string | null)[]> {
  const { rows } = await connection.queryRaw({
    sql: "select current_schema()::text, current_setting('server_encoding'), current_setting('search_path'), current_user::text",
    args: [],
    argTypes: [],
  });
  return (rows[0] ?? []) as readonly (string | null)[];
}

/** Creates a missing schema; a role without the right to do so is fine if the schema exists. */
async function makeSchema(connection: SqlDriverAdapter, schema: string): Promise<void> {
  const exists = async () => {
    const { rows } = await connection.queryRaw({
      sql: 'select 1 from pg_namespace where nspname = $1',
      args: [schema],
      argTypes: [{ scalarType: 'string', arity: 'scalar' }],
    });
    return rows.length > 0;
  };
  if (await exists()) return;
  try {
    await connection.executeScript(`create schema if not exists ${quoted(schema)}`);
  } catch (error) {
    // Of replicas that start together, one creates it and PostgreSQL refuses the others.
    if (!(await exists())) throw error;
  }
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Turns `?schema=` into the `search_path` of every session, after other `options`. */
export function withSearchPath(given: string): { readonly url: string; readonly wanted?: string } {
  if (!URL.canParse(given)) return { url: given };
  const url = new URL(given);
  const wanted = url.searchParams.get('schema');
  if (wanted === null || wanted === '') return { url: given };
  url.searchParams.delete('schema');
  // In `options`, white space ends a word unless a backslash precedes it.
  const path = quoted(wanted).replaceAll(/[\\\s]/g, '\\$&');
  const options = [url.searchParams.get('options'), `-c search_path=${path}`];
  url.searchParams.set('options', options.filter((option) => option !== null).join(' '));
  // `+` would stay a plus, because connection strings are decoded by RFC 3986.
  return { url: url.href.replaceAll('+', '%20'), wanted };
}
