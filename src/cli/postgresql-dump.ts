import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Config } from '../config/config.ts';
import { checkOpening } from './doctor/check-keys.ts';
import { lookAtDatabase, type Rows } from './doctor/database-look.ts';
import { reasonOf } from './doctor/finding.ts';
import { failed } from './exit-codes.ts';
import { withFullStop } from './failure.ts';
import type { Terminal } from './terminal.ts';

/**
 * The arguments of `pg_dump` and `pg_restore` that name the database of this environment, by its
 * variable, because the URL has a password.
 */
export function databaseArgument({ env }: Pick<Terminal, 'env'>, url: string): string {
  const isInFile = (env['DATABASE_URL_FILE'] ?? '') !== '';
  if (schemaOf(url) === null)
    return isInFile ? '-d "$(cat "$DATABASE_URL_FILE")"' : '-d "$DATABASE_URL"';
  const text = isInFile ? 'cat "$DATABASE_URL_FILE"' : `printf '%s\\n' "$DATABASE_URL"`;
  // PostgreSQL's own programs do not know this parameter.
  return `-d "$(${text} | sed 's/\\([?&]\\)schema=[^&]*&*/\\1/; s/[?&]$//')"`;
}

/** The argument of `pg_dump` for the schema of `?schema=`, after a space; empty without one. */
export function schemaArgument(url: string): string {
  const schema = schemaOf(url) ?? '';
  if (schema === '') return '';
  // A pattern: in quotes every character counts as it is.
  const isPlain = /^[a-z_][a-z0-9_]*$/.test(schema);
  return ` -n ${isPlain ? schema : shellWord(`"${schema.replaceAll('"', '""')}"`)}`;
}

function schemaOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).searchParams.get('schema') : null;
}

/** Quotes the text as one shell word. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Checks that the dump is readable to its end, has the data of every table, and has keys that the
 * key-encryption key opens. Throws CommandError.
 */
export async function checkDump(file: string, config: Config): Promise<void> {
  // The table of contents comes first, so only a full restore, here to nowhere, reads the data.
  await pgRestore(file, ['-f', '/dev/null']);
  const tables = await tablesOf(config);
  const list = await pgRestore(file, ['--list']);
  const missing = tables.filter((name) => !new RegExp(`TABLE DATA \\S+ ${name} `).test(list));
  if (missing.length > 0) throw failed(`${file} lacks the tables ${missing.join(', ')}.`);
  const keyTables = ['-t', 'signing_key', '-t', 'shared_secret'];
  const data = await pgRestore(file, ['--data-only', '-f', '-', ...keyTables]);
  const columns = ['kid', 'alg', 'purpose', 'public_jwk', 'private_jwe'];
  const secrets = rowsIn(data, 'shared_secret', ['name', 'value']).map(
    ([name, value]) => [String(name), String(value)] as const,
  );
  const opened = await checkOpening(rowsIn(data, 'signing_key', columns), new Map(secrets), config);
  if (opened.result !== 'ok')
    throw failed(
      `${withFullStop(`${file}: ${opened.check}: ${opened.found}`)} ${opened.mend ?? ''}`,
    );
}

/** The tables of the database, which the dump must have. */
async function tablesOf(config: Config): Promise<readonly string[]> {
  const sql = 'select tablename::text from pg_tables where schemaname = current_schema()';
  try {
    const look = await lookAtDatabase(config.databaseUrl);
    const rows = (await look?.query(sql)) ?? [];
    await look?.close();
    const tables = rows.map(([name]) => String(name));
    if (tables.length > 0) return tables;
  } catch (error) {
    throw failed(withFullStop(`The database, with which the dump is compared: ${reasonOf(error)}`));
  }
  throw failed('The database, with which the dump is compared, has no table.');
}

async function pgRestore(file: string, options: readonly string[]): Promise<string> {
  try {
    const run = promisify(execFile)('pg_restore', [...options, file], { maxBuffer: 2 ** 28 });
    return (await run).stdout;
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string };
    const reason = stderr.trim() === '' ? reasonOf(error) : stderr.trim();
    throw failed(`${file} is not a dump that pg_restore can read: ${reason}`);
  }
}

/** Columns of a table in the text format of COPY. */
function rowsIn(text: string, table: string, columns: readonly string[]): Rows {
  const copy = new RegExp(`^COPY \\S*\\b${table} \\((.*)\\) FROM stdin;\n([^]*?)^\\\\\\.$`, 'm');
  const [, names = '', rows = ''] = copy.exec(text) ?? [];
  const places = columns.map((name) => names.split(', ').indexOf(name));
  return rows
    .split('\n')
    .slice(0, -1)
    .map((row) => row.split('\t'))
    .map((values) => places.map((at) => values[at]?.replaceAll('\\\\', '\\')));
}
