import { execFile } from 'node:child_process';
import { chmodSync, existsSync, rmSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Config, readConfig } from '../config/config.ts';
import { databaseFile, databaseKind, fileUrl } from '../config/database-url.ts';
import { checkDatabase } from './doctor/check-database.ts';
import { lookAtDatabase } from './doctor/database-look.ts';
import { CommandError, exitCodes, usageError } from './exit-codes.ts';
import { codeOf } from './secret.ts';
import { type ServeOptions, serveVariables } from './serve-command.ts';
import { printJson, type Terminal } from './terminal.ts';

/** Options of `holdfast backup` and `holdfast restore`. */
export interface BackupOptions extends ServeOptions {
  readonly json?: boolean;
  /** Look at a backup that exists, and make none. */
  readonly check?: boolean;
}

/** The configuration of the server that this environment is for. Throws ConfigError. */
export function serverConfig(terminal: Pick<Terminal, 'env'>, options: ServeOptions): Config {
  return readConfig({ ...terminal.env, ...serveVariables(terminal.env, options) });
}

/** Makes a backup of the database beside a running server, or says how, and checks it. */
export async function backup(
  terminal: Terminal,
  file: string,
  options: BackupOptions,
): Promise<void> {
  const config = serverConfig(terminal, options);
  const sqlite = databaseKind(config.databaseUrl) === 'sqlite';
  if (options.check !== true && !sqlite) {
    terminal.stdout.write(postgresqlWords(file));
    return;
  }
  if (options.check !== true) await copySqlite(databaseFile(config.databaseUrl), file);
  await (sqlite ? checkSqlite(file, config, terminal) : checkDump(file, config));
  const { size } = statSync(file);
  if (options.json === true) printJson(terminal, { file, size, checked: true });
  else terminal.stdout.write(`${file}: ${size} bytes, checked.\n`);
  terminal.stderr.write(
    `The key-encryption key is not in it: back up ${keyPlace(config)} somewhere else.\n`,
  );
}

function keyPlace({ keyEncryptionKey, keyEncryptionKeyFile }: Config): string {
  return keyEncryptionKey === undefined ? keyEncryptionKeyFile : 'KEY_ENCRYPTION_KEY';
}

function postgresqlWords(file: string): string {
  const quoted = `'${file.replaceAll("'", String.raw`'\''`)}'`;
  return `pg_dump -Fc -d "$DATABASE_URL" -f ${quoted}\nholdfast backup --check ${quoted}\n`;
}

/** SQLite's own copy of a database in use: one moment of it, and the server goes on. */
async function copySqlite(database: string, file: string): Promise<void> {
  if (!existsSync(database)) throw failed(`There is no database ${database} yet.`);
  if (existsSync(file)) throw usageError(`${file} exists already, and is not replaced.`);
  const { default: SqliteDatabase } = await import('libsql');
  const source = new SqliteDatabase(database);
  const before = process.umask(0o077);
  try {
    source.exec('pragma busy_timeout = 10000');
    source.prepare('vacuum into ?').run(file);
    chmodSync(file, 0o600);
  } catch (error) {
    rmSync(file, { force: true });
    throw failed(`The backup was not made: ${(error as Error).message}.`);
  } finally {
    process.umask(before);
    source.close();
  }
}

/** Reads the whole copy, and opens its keys by the key-encryption key. Throws CommandError. */
export async function checkSqlite(
  file: string,
  config: Config,
  { clock }: Pick<Terminal, 'clock'>,
): Promise<void> {
  const url = fileUrl(file);
  const look = await lookAtDatabase(url);
  if (look === undefined) throw failed(`There is no file ${file}.`);
  try {
    const [[integrity] = []] = await look.query('pragma integrity_check').catch(() => []);
    if (integrity !== 'ok') throw failed(`${file} is not a sound SQLite database.`);
  } finally {
    await look.close();
  }
  const { redisUrl: _, ...alone } = config;
  const found = await checkDatabase({ ...alone, databaseUrl: url }, clock);
  const needed = ['migrations', 'key-encryption key'];
  for (const name of needed) {
    const finding = found.find(({ check }) => check === name);
    if (finding?.result !== 'ok')
      throw failed(`${file}: ${name}: ${finding?.found ?? 'not found'}. ${finding?.mend ?? ''}`);
  }
}

/** Whether the dump has the data of every table. Throws CommandError. */
async function checkDump(file: string, config: Config): Promise<void> {
  const look = await lookAtDatabase(config.databaseUrl);
  const tables = await look?.query(
    'select tablename::text from pg_tables where schemaname = current_schema()',
  );
  await look?.close();
  const list = await promisify(execFile)('pg_restore', ['--list', file]).catch((error: unknown) => {
    throw failed(`pg_restore --list ${file} failed: ${codeOf(error)}.`);
  });
  const missing = (tables ?? [])
    .map(([name]) => String(name))
    .filter((name) => !new RegExp(`TABLE DATA \\S+ ${name} `).test(list.stdout));
  if (missing.length > 0) throw failed(`${file} lacks the tables ${missing.join(', ')}.`);
}

/** What was asked for was not done: exit code 1. */
export function failed(message: string): CommandError {
  return new CommandError(exitCodes.failed, message.trimEnd());
}
